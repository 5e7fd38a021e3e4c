"""A run: from a config to a run folder with a servable artifact.

The picture of the whole pipeline: every stage turns one value into the next, and
nothing flows back.
"""

from __future__ import annotations

from pipelines.config import RunConfig
from pipelines.runs.job import RunJob, open_run
from pipelines.runs.result import Run
from pipelines.stages import calibrate, evaluate, head, publish
from pipelines.training.callbacks import Callbacks


def run(config: RunConfig, *, callbacks: Callbacks = ()) -> Run:
    """Carries out a config, with more callbacks, and leaves its run folder.

    Raises:
        ConfigError, DataError, BackboneError: before anything is written.
        ChangedFilesError, TrainingError, ArtifactError: with the folder left as an
            unfinished run.
    """
    with open_run(config, callbacks) as job:  # checks, joins workers, locks the folder
        return job.retry_on_changed_files(_run)


def _run(job: RunJob) -> Run:
    prepared = job.prepare()  # obtain, data, measure, plan: what `zoo plan` prints
    base, splits, plan = prepared.base, prepared.splits, prepared.plan
    job.begin(prepared)  # a new run, or the one that was saved in this folder
    with job.stage("head"):
        model = head.add_head(base, **prepared.head())
    with job.stage("finetune"):
        trained = job.train(model)  # phase by phase, or once for each fold
    model, splits = trained.model, trained.splits
    job.start_proof()
    with job.stage("calibrate"):
        calibrated = calibrate.calibrate_model(
            model,
            splits,
            prepared.problem.calibration_config(job.config),
            batch_size=plan.batch_size,
            known=prepared.measured.known,
            out_of_fold=trained.out_of_fold,
            moved=trained.moved,
        )
    with job.stage("evaluate"):
        evaluation = evaluate.evaluate_held_out(calibrated, splits)
    with job.stage("export"):
        exported = job.on_chief(job.export, model, calibrated, evaluation)
        backbone = job.on_chief(
            publish.save_backbone,
            base,
            job.folder.checkpoints_dir,
            handle=job.config.handle,
        )
    return job.finish(
        model, trained.history, calibrated, evaluation, exported, backbone
    )
