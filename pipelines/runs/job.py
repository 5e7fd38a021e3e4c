"""A run at work: its folder, its workers, and the progress that it goes on from."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import keras

from pipelines.config import RunConfig, checked
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.reference import DatasetRef
from pipelines.display.text import short_lines
from pipelines.errors import ArtifactError, ChangedFilesError
from pipelines.features.activation_cache import ActivationCache
from pipelines.formats import keras_file
from pipelines.gate.gate import Gate, GateResult
from pipelines.runs import folder as run_folder
from pipelines.runs import gated, keep_features, record, report, resume
from pipelines.runs.agreement import agree, gather_workers
from pipelines.runs.folder import RunFolder
from pipelines.runs.model_card import model_card
from pipelines.runs.other_data import with_other_data
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runs.result import Outcome, Run
from pipelines.runtime import environment
from pipelines.runtime.clock import Clock
from pipelines.runtime.determinism import determinism
from pipelines.runtime.precision import precision
from pipelines.serving import parity_process, publication
from pipelines.stages.adaptation.apply import apply_adaptation
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.distillation.finished import TeacherRun
from pipelines.stages.distillation.record import Distillation
from pipelines.stages.distillation.teach import require_teacher, teach
from pipelines.stages.drift_reference import reference_of
from pipelines.stages.evaluate import Evaluation
from pipelines.stages.export import Extra, export
from pipelines.stages.finetune import FitHistory, fine_tune
from pipelines.stages.folds.fit import fit_folds
from pipelines.stages.folds.result import Trained
from pipelines.stages.gallery.write import write_gallery
from pipelines.stages.neighbours import index_of_training, require_classes
from pipelines.stages.predictions import held_out_rows
from pipelines.stages.unlabelled.apply import apply_unlabelled
from pipelines.stages.views.choose import with_chosen_views
from pipelines.training.callbacks import Callbacks, require_callbacks
from pipelines.training.distributed.distribution import Distribution
from pipelines.training.phases.workspace import Workspace
from pipelines.training.transfer_model import TransferModel

# After this number of restarts the disk is probably failing.
_MOST_RESTARTS = 3

_logger = logging.getLogger("zootune")

P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def open_run(config: RunConfig, callbacks: Callbacks = ()) -> Iterator[RunJob]:
    """Checks the config, gathers the workers, and locks the folder of the run.

    Raises:
        ConfigError, DataError: before anything is written.
    """
    config, clock = checked(config), Clock()
    require_callbacks(callbacks)
    dataset = DatasetRef.parse(config.data)
    distribution = gather_workers(config)
    is_chief = distribution.workers.is_chief
    place = run_folder.locked(config) if is_chief else run_folder.temporary()
    with place as folder:
        yield RunJob(config, dataset, folder, distribution, clock, callbacks)


class RunJob:
    """The state that the stages share. Only the chief writes to the run folder.

    `prepare` comes first and `begin` second; the other methods need both.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: DatasetRef,
        folder: RunFolder,
        distribution: Distribution,
        clock: Clock,
        callbacks: Callbacks = (),
    ) -> None:
        self.config, self.dataset, self.folder = config, dataset, folder
        self._distribution, self._clock = distribution, clock
        self._callbacks = tuple(callbacks)
        self._workers = distribution.workers
        self._gate, self._verdict = Gate(), GateResult()
        self._teacher: TeacherRun | None = None
        self._distillation: Distillation | None = None

    def retry_on_changed_files(self, run: Callable[[RunJob], T]) -> T:
        """Runs; with `on_bad=skip` again without the files that changed on the way.

        Then the counts of the run are those of the examples that it used. One of
        several workers cannot restart without the others.
        """
        skips = self._workers.is_alone and self.dataset.on_bad == "skip"
        for _ in range(_MOST_RESTARTS if skips else 0):
            try:
                return self._attempt(run)
            except ChangedFilesError as error:
                _logger.warning("%s\nThe run begins anew without them.", error)
                self.folder.forget_training()
        return self._attempt(run)

    def _attempt(self, run: Callable[[RunJob], T]) -> T:
        with contextlib.ExitStack() as self._resources:
            self._resources.enter_context(determinism(self.config.deterministic))
            return run(self)

    def prepare(self) -> Prepared:
        """Obtains the base, reads the data, measures, and plans; see `prepare`.

        All workers get the chief's plan. The quality gate is opened first, so that a
        mistake in it costs no training.
        """
        self.on_chief(self._open_gate)
        precision_name = self._distribution.precision(self.config.precision)
        prepared = prepare(
            dataclasses.replace(self.config, precision=precision_name),
            self.dataset,
            self._clock,
            before=resume.compute_before(self.config, self.folder),
            chosen_before=resume.choice_before(self.config, self.folder),
        )
        prepared = with_other_data(prepared, self.config, self._clock, self._workers)
        self.on_chief(gated.require_possible, self._gate, prepared)
        if self.config.distil.teacher:
            self._teacher = require_teacher(
                self.config, prepared.splits, prepared.problem, prepared.base
            )
        asked = self.config.export
        if asked.keras:
            self.on_chief(keras_file.require_possible, prepared.base.model)
        for name in ("neighbours", "drift"):
            if getattr(asked, name):
                require_classes(prepared.problem, name)
        return agree(prepared, self._distribution)

    def _open_gate(self) -> None:
        self._gate = gated.opened(self.config)

    def begin(self, prepared: Prepared) -> None:
        """Begins the run folder, or goes on with the run that was saved there.

        From here on layers compute in the chosen precision, and the same seed draws
        the same.

        Raises:
            ConfigError: if another run was saved in the folder.
            ArtifactError: if the disk has no room for what the run leaves.
        """
        self._prepared = prepared
        self._resources.enter_context(precision(prepared.plan.precision))
        self._proof = self._resources.enter_context(parity_process.fresh_process())
        self.on_chief(_require_space, self.folder, prepared)
        self._progress = resume.progress_of(
            self.config, prepared, self.folder, self._workers
        )
        self.on_chief(self._begin_folder)
        for line in short_lines(prepared.plan.reason):
            self._clock.part(line)
        if all(phase.trains_head_only for phase in prepared.plan.phases):
            self.start_proof()  # a head trains in seconds, and leaves a core idle
        keras.utils.set_random_seed(self.config.seed)

    def _begin_folder(self) -> None:
        about = environment.describe() | self._distribution.described()
        if self._callbacks:
            about["callbacks"] = [type(each).__name__ for each in self._callbacks]
        folder, prepared, seed = self.folder, self._prepared, self.config.seed
        if self._progress.was_saved:
            report.restore_lost(folder, prepared, about, seed=seed)
        else:
            folder.begin(self.config, about)
            report.describe(folder, prepared, seed=seed)

    @property
    def seconds(self) -> Mapping[str, float]:
        """The time of each stage so far."""
        return self._clock.seconds

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Times a stage, and announces it."""
        return self._clock.stage(name, self._doing(name))

    def _doing(self, stage: str) -> str:
        plan, problem = self._prepared.plan, self._prepared.problem
        phases = ", ".join(phase.name for phase in plan.phases)
        is_chief, base = self._workers.is_chief, self.folder.artifact_base
        return {
            "head": problem.size_in_words,
            "finetune": f"{phases}, as planned"
            if phases
            else "nothing is left to train",
            "calibrate": "on validation",
            "evaluate": "validation and test, every example once",
            "export": f"to {base}" if is_chief else "by the chief",
            "gallery": "a few examples for the page of the run",
        }[stage]

    def on_chief(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of a function that the chief calls; see `Workers.on_chief`."""
        return self._workers.on_chief(function, *args, **kwargs)

    def workspace(self) -> Workspace:
        """The places and resources of training."""
        prepared, folder, progress = self._prepared, self.folder, self._progress
        budget_seconds = self.config.time_budget_seconds
        return Workspace(
            history_path=folder.history_path,
            tensorboard_dir=folder.tensorboard_dir,
            deadline_seconds=self._clock.deadline(budget_seconds)
            - progress.seconds_before,
            head_features=prepared.measured.head_features(prepared.plan.head),
            pixel_cache=PixelCache(self.config.input.cache_mib * 2**20),
            # The disks of workers differ, and what they train must not.
            activation_cache=ActivationCache(folder.cache_dir)
            if self._workers.is_alone
            else None,
            callbacks=lambda phase: self._callbacks,
            progress=progress,
            distribution=self._distribution,
            profile=self.config.profile,
        )

    def train(self, model: TransferModel) -> Trained:
        """Trains the model in place: phase by phase, or by the heads of all folds.

        Or by a network for each fold. The result has the model with its views at test
        time, and the splits that it is calibrated on.
        """
        prepared = self._prepared
        decided = prepared.adaptation
        if prepared.target and decided and decided.adapted:
            self._trained = apply_adaptation(
                model, prepared.splits, prepared.target, decided
            )
        elif prepared.unlabelled and prepared.unlabelled.head:
            self._trained = apply_unlabelled(
                model, prepared.splits, prepared.unlabelled
            )
        elif not prepared.folds:
            history = self._fine_tune(model)
            viewed, views = with_chosen_views(
                model,
                prepared.splits.train,
                prepared.measured,
                prepared.plan,
                prepared.problem,
                asked=self.config.test_views,
            )
            left_out = prepared.left_out()
            self._trained = Trained(
                viewed,
                history,
                prepared.splits,
                out_of_fold=left_out,
                views=views,
                adaptation=decided.record if decided else None,
            )
        else:
            self._trained = fit_folds(
                model,
                prepared.splits,
                prepared.measured,
                prepared.plan,
                self.workspace(),
                config=self.config,
                clock=self._clock,
            )
            # Where networks train, validation is the fold of the best one.
            self._prepared = dataclasses.replace(prepared, splits=self._trained.splits)
        return self._trained

    def _fine_tune(self, model: TransferModel) -> FitHistory:
        """Fine-tunes on the labels, or on what a teacher answers beside them."""
        prepared, workspace = self._prepared, self.workspace()
        if self._teacher is None:
            return fine_tune(model, prepared.splits, prepared.plan, workspace)
        with self._clock.stage("teach", f"{self._teacher.path} answers"):
            taught = teach(self._teacher, prepared.splits, self.config)
        self._distillation = taught.record
        if taught.record.unlabelled:  # measured features are of the labelled alone
            workspace = dataclasses.replace(workspace, head_features=None)
        return fine_tune(model, taught.splits, prepared.plan, workspace)

    def start_proof(self) -> None:
        """Starts the process that proves the export, so that it is ready by then."""
        self.on_chief(self._proof.start_early)

    def export(
        self, model: TransferModel, calibrated: Calibrated, evaluation: Evaluation
    ) -> Mapping[str, Any]:
        """The artifact of the run: its path and its parity record.

        Both are None if the model does not pass the quality gate: nothing is published.
        An artifact that this run published before it was cut short is taken as it is.
        If the export fails, the trained model is saved, so that the same command tries
        it again without training.
        """
        prepared, folder = self._prepared, self.folder
        splits = prepared.splits
        if self._gate:
            self._verdict = gated.judged(
                self._gate, prepared, calibrated, evaluation, workdir=folder.path
            )
        if not self._verdict.passed:
            return {"path": None, "parity": None}
        facts = record.artifact_facts(splits.info, prepared.plan, evaluation)
        try:
            exported = resume.exported_before(folder, facts) or export(
                model,
                calibrated.calibration,
                splits.test,
                folder.artifact_base,
                problem=prepared.problem,
                facts=facts,
                model_card=model_card(prepared, calibrated, evaluation),
                explain=self.config.export.explain,
                keeps_keras=self.config.export.keras,
                extras=self._extras(model, calibrated),
                process=self._proof,
            )
        except ArtifactError:
            self._progress.save_trained(model.model)
            raise
        return {"path": str(exported.path), "parity": dict(exported.manifest.parity)}

    def _extras(self, model: TransferModel, calibrated: Calibrated) -> list[Extra]:
        """What the artifact is to know of its training data."""
        prepared = self._prepared
        extras: list[Extra] = []
        if self.config.export.neighbours:
            index = index_of_training(
                model,
                prepared.splits,
                batch_size=prepared.plan.batch_size,
                known=prepared.measured.known,
            )
            extras.append(index)
        if self.config.export.drift:
            names = prepared.splits.info.class_names
            extras.append(reference_of(calibrated, class_names=names))
        return extras

    def _write_gallery(self, model: TransferModel, calibrated: Calibrated) -> None:
        write_gallery(
            self.folder.path,
            self._prepared.splits,
            calibrated,
            model,
            explain=self.config.export.explain,
        )

    def finish(
        self,
        model: TransferModel,
        history: FitHistory,
        calibrated: Calibrated,
        evaluation: Evaluation,
        exported: Mapping[str, Any],
        backbone: Mapping[str, Any],
    ) -> Run:
        """Writes predictions and report, which ends the run. Returns the run.

        Raises:
            GateError: after that, if the model was not published.
        """
        with self.stage("gallery"):
            self.on_chief(self._write_gallery, model, calibrated)
        outcome = Outcome(
            self._prepared,
            history,
            calibrated,
            evaluation,
            exported,
            backbone,
            seconds={**self.seconds, "total": self._clock.total_seconds},
            folds=self._trained.scores,
            views=self._trained.views,
            adaptation=self._trained.adaptation,
            distillation=self._distillation,
            gate=self._verdict.values() if self._gate else None,
        )
        self.on_chief(self._keep_features, calibrated, backbone)
        values = self.on_chief(_reported, self.folder, outcome)
        self.on_chief(
            self._verdict.require_passed,
            f"The report, the predictions and the page of the run are in"
            f" {self.config.workdir}.",
        )
        return Run(
            self._prepared.plan,
            history,
            calibrated.calibration,
            values,
            model.model,
            Path(self.config.workdir),
            Path(exported["path"]),
        )

    def _keep_features(
        self, calibrated: Calibrated, backbone: Mapping[str, Any]
    ) -> None:
        """Keeps what the head was fitted to, if it is at hand, to change classes.

        The heads of folds were fitted to other examples each, and a model of several
        views reads other features.
        """
        if self._prepared.folds or self._trained.views:
            return
        keep_features.write(
            self._prepared,
            calibrated,
            self.folder.checkpoints_dir,
            backbone=backbone["sha256"],
            is_moved=self._trained.moved is not None,
        )


def _require_space(folder: RunFolder, prepared: Prepared) -> None:
    """Raises `ArtifactError` if the disk has no room for what the run leaves.

    That is the network twice: in the artifact, and as the trained backbone.
    """
    weights = sum(weight.nbytes for weight in prepared.base.model.get_weights())
    publication.require_space(folder.path, 2 * weights)


def _reported(folder: RunFolder, outcome: Outcome) -> Mapping[str, Any]:
    values = record.report(outcome)
    prepared = outcome.prepared
    # After the artifact: nobody waits for a plot.
    evidence = record.planned(prepared.plan, prepared.measured.evidence)["evidence"]
    report.plot_depths(folder, evidence, title=prepared.base.spec.name)
    rows = held_out_rows(outcome.calibrated, prepared.splits)
    card = model_card(outcome.prepared, outcome.calibrated, outcome.evaluation, outcome)
    report.finish(folder, values, rows, card)
    return values
