"""A run: from a config to a run folder with a servable artifact.

The picture of the whole pipeline: every stage turns one value into the next, and
nothing flows back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from pipelines.calibration.calibration import Calibration
from pipelines.config import RunConfig, checked
from pipelines.data.data_card import as_markdown, card_of
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.reference import DatasetRef
from pipelines.errors import ArtifactError, ChangedFilesError, ConfigError
from pipelines.features.activation_cache import ActivationCache
from pipelines.planning import compute
from pipelines.planning.plan import TransferPlan
from pipelines.report import depth_plot, run_page
from pipelines.runs import folder as workdir
from pipelines.runs import record, resume, workers
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runtime import environment
from pipelines.runtime.clock import Clock
from pipelines.runtime.determinism import determinism
from pipelines.runtime.precision import precision
from pipelines.serving import artifact, parity_process
from pipelines.stages.baselines import baselines, warn_where_no_better
from pipelines.stages.calibrate import Calibrated, calibrate_model
from pipelines.stages.evaluate import evaluate
from pipelines.stages.export import export
from pipelines.stages.finetune import FitHistory, FitSettings, fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.publish import keep
from pipelines.training.distributed.distribution import ONE_DEVICE, Distribution
from pipelines.training.distributed.workers import Team
from pipelines.training.progress import Progress
from pipelines.training.transfer_model import TransferModel

# Files that keep on breaking mean a disk that does.
_MOST_NEW_BEGINNINGS = 3

_ENVIRONMENT, _PLAN, _CARD = "environment.json", "plan.json", "data_card.json"

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a finished run leaves. `report` has the values of `report.json`.

    `model` gives logits; `calibration.answer` makes of them what the artifact answers.
    """

    plan: TransferPlan
    history: FitHistory
    calibration: Calibration
    report: Mapping[str, Any]
    model: keras.Model
    workdir: Path
    artifact_dir: Path

    def __repr__(self) -> str:
        test = self.report["test"]
        return (
            f"<Run: accuracy {test['accuracy']:.4f} on {test['examples']} test"
            f" examples, {self.plan.action}, {self.artifact_dir}>"
        )


def run(config: RunConfig) -> Run:
    """Carries out a config, and leaves its run folder.

    Where `on_bad=skip` allows it, files that break on the way are left out too: then
    the run begins anew with the rest, so that its counts are those of what it saw.

    Raises:
        ConfigError, DataError, BackboneError: before anything is written.
        ChangedFilesError, TrainingError, ArtifactError: with the folder left as an
            unfinished run.
    """
    config, clock = checked(config), Clock()
    distribution = workers.gathered(config)
    team = distribution.team
    # One of several workers cannot begin anew without the others.
    skips = team.is_alone and DatasetRef.parse(config.data).on_bad == "skip"
    with workdir.claimed(config) if team.is_chief else workdir.lent() as folder:
        for _ in range(_MOST_NEW_BEGINNINGS if skips else 0):
            try:
                return _run(config, folder, distribution, clock)
            except ChangedFilesError as error:
                _logger.warning("%s\nThe run begins anew without them.", error)
                folder.forget_training()
        return _run(config, folder, distribution, clock)


def _run(
    config: RunConfig,
    folder: workdir.Workdir,
    distribution: Distribution,
    clock: Clock,
) -> Run:
    team = distribution.team
    asked = dataclasses.replace(
        config, precision=distribution.precision(config.precision)
    )
    before = resume.compute_before(config, folder)
    with contextlib.ExitStack() as stack:
        stack.enter_context(determinism(config.deterministic))
        prepared = workers.agreed(prepare(asked, clock, before=before), distribution)
        stack.enter_context(precision(prepared.compute.precision))
        _require_space(folder, prepared)
        # It starts when training is done, so that it is ready for the export.
        process = stack.enter_context(parity_process.fresh_process())
        trained = train(
            config,
            prepared,
            folder,
            clock,
            distribution,
            on_trained=process.start_early,
        )
        if not team.is_chief:
            return _of_worker(trained, prepared, team, config)
        splits, calibrated = prepared.splits, trained.calibrated
        with clock.stage("evaluate", "validation and test, every example once"):
            reports = [
                evaluate(
                    outputs,
                    calibrated.calibration,
                    class_names=splits.info.class_names,
                )
                for outputs in (calibrated.validation, calibrated.test)
            ]
        simple = baselines(splits)
        warn_where_no_better(reports[1].accuracy, simple)
        with clock.stage("export", f"to {folder.artifact_base}"):
            facts = record.artifact_facts(splits, prepared.plan, reports)
            with _kept_where_export_fails(trained):
                exported = resume.exported_before(folder, facts) or export(
                    trained.model,
                    calibrated.calibration,
                    splits.test,
                    folder.artifact_base,
                    class_names=splits.info.class_names,
                    facts=facts,
                    explain=config.export.explain,
                    process=process,
                )
            kept = keep(prepared.base, folder.checkpoints_dir, handle=config.handle)
    report = record.report(
        splits,
        prepared.plan,
        prepared.compute,
        trained.history,
        calibrated,
        reports,
        exported,
        kept,
        clock,
    )
    report["baselines"] = simple
    _finish(folder, report)
    team.chiefs(report)
    return Run(
        prepared.plan,
        trained.history,
        calibrated.calibration,
        report,
        trained.model.model,
        folder.path,
        exported.path,
    )


def _require_space(folder: workdir.Workdir, prepared: Prepared) -> None:
    """Raises `ArtifactError` where the disk cannot take what the run leaves at its end.

    That is the network twice: in the artifact, and as the backbone that is kept.
    """
    weights = sum(weight.nbytes for weight in prepared.base.model.get_weights())
    artifact.require_space(folder.path, 2 * weights)


def _of_worker(
    trained: Trained, prepared: Prepared, team: Team, config: RunConfig
) -> Run:
    """What a worker gives that is not the chief: what that one tells when it is done.

    So all workers succeed or none. The folders are those of the chief's machine.
    """
    _logger.info("The chief evaluates and exports.")
    nothing: dict[str, Any] = {}
    report = team.chiefs(nothing)
    return Run(
        prepared.plan,
        trained.history,
        trained.calibrated.calibration,
        report,
        trained.model.model,
        Path(config.workdir),
        Path(report["artifact"]),
    )


def _finish(folder: workdir.Workdir, report: Mapping[str, Any]) -> None:
    """Writes the report, and the page of it.

    Raises:
        ArtifactError: if the disk does not take them. The artifact is complete then.
    """
    try:
        folder.finish(dict(report))
    except OSError as error:
        raise ArtifactError(
            f"{report['artifact']} is complete, but the report of the run could not be"
            f" written: {error}. Mend this and give the same command again: it goes on"
            " from what was saved, and publishes nothing twice."
        ) from error
    try:
        page = run_page.page(run_page.read(folder.path))
        folder.write_text(run_page.FILE_NAME, page)
    # A file of the run that something broke in the meantime is not the page's fault.
    except (OSError, ConfigError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"The run is finished and {report['artifact']} is complete, but its page"
            f" could not be written: {error}. Mend this, and write it with: zoo report"
            f" {folder.path}"
        ) from error


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A model that answers, how it came to be, and what it gives for held-out data."""

    model: TransferModel
    history: FitHistory
    calibrated: Calibrated
    progress: Progress


@contextlib.contextmanager
def _kept_where_export_fails(trained: Trained) -> Iterator[None]:
    """Lets the same command try an export again without training again."""
    try:
        yield
    except ArtifactError:
        trained.progress.keep(trained.model.model)
        raise


def train(
    config: RunConfig,
    prepared: Prepared,
    folder: workdir.Workdir,
    clock: Clock,
    distribution: Distribution = ONE_DEVICE,
    *,
    on_trained: Callable[[], None] | None = None,
) -> Trained:
    """Adds the head, trains and calibrates as the plan says.

    Begins the run folder, or goes on from what was saved there. `on_trained` is called
    by the chief before it calibrates.
    """
    base, splits, plan = prepared.base, prepared.splits, prepared.plan
    progress = resume.progress_of(config, prepared, folder, distribution.team)
    about = environment.describe() | distribution.described()
    if distribution.team.is_chief:
        if progress.was_saved:
            _restore_lost(folder, prepared, about, seed=config.seed)
        else:
            folder.begin(config, about)
            _describe(folder, prepared, seed=config.seed)
    for line in plan.reason.splitlines():
        clock.part(line)
    classes = len(splits.info.class_names)
    with clock.stage("head", f"{classes} classes"):
        probe = prepared.measured.probe(
            plan.head, balanced=prepared.imbalance != "none"
        )
        model = add_head(base, classes=classes, plan=plan.head, probe=probe)
    phases = ", ".join(phase.name for phase in plan.phases)
    with clock.stage("finetune", f"{phases}, as planned"):
        settings = FitSettings(
            input_size_px=base.input_size_px,
            seed=config.seed,
            deadline_seconds=clock.deadline(config.time_budget_seconds)
            - progress.seconds_before,
            history_path=folder.history_path,
            tensorboard_dir=folder.tensorboard_dir,
            head_features=prepared.measured.head_features(plan.head),
            imbalance=prepared.imbalance,
            augment=config.augment,
            cache=PixelCache(config.input.cache_mib * 2**20),
            # The disks of workers differ, and what they train must not.
            activation_cache=ActivationCache(folder.cache_dir)
            if distribution.team.is_alone
            else None,
            progress=progress,
            distribution=distribution,
            xla=prepared.compute.xla,
            profile=config.profile,
        )
        history = fine_tune(model, splits, plan, settings)
    if on_trained is not None and distribution.team.is_chief:
        on_trained()
    with clock.stage("calibrate", "on validation"):
        calibrated = calibrate_model(
            model,
            splits,
            config.calibration,
            batch_size=plan.batch_size,
            known=prepared.measured.known,
        )
    return Trained(model, history, calibrated, progress)


def _restore_lost(
    folder: workdir.Workdir,
    prepared: Prepared,
    about: dict[str, Any],
    *,
    seed: int,
) -> None:
    """Writes anew what was broken or lost since the run began, and says so.

    Now, because it is needed at the end: for the page, and to publish nothing twice.
    """
    folder.restore_versions_before()
    if not folder.has(_ENVIRONMENT, fields=about):
        folder.write(_ENVIRONMENT, about)
    planned = record.planned(prepared.plan, prepared.measured.evidence)
    computed = compute.to_dict(prepared.compute)
    if not (
        folder.has(_PLAN, fields=planned)
        and folder.has(resume.COMPUTE, fields=computed)
        and folder.has(_CARD, fields=())
    ):
        _describe(folder, prepared, seed=seed)


def _describe(folder: workdir.Workdir, prepared: Prepared, *, seed: int) -> None:
    """Writes what is known before training: the plan, and the data card."""
    planned = record.planned(prepared.plan, prepared.measured.evidence)
    folder.write(_PLAN, planned)
    folder.write(resume.COMPUTE, compute.to_dict(prepared.compute))
    _plot_depths(folder, planned["evidence"], title=prepared.base.spec.name)
    versions = environment.installed_versions()
    card = card_of(prepared.splits, seed=seed, versions=versions)
    folder.write(_CARD, card)
    folder.write_text("data_card.md", as_markdown(card))


def _plot_depths(
    folder: workdir.Workdir, evidence: Mapping[str, Any] | None, *, title: str
) -> None:
    """Where several blocks were measured, and where something is there that draws."""
    if evidence is None or len(evidence["depths"]) < 2:
        return
    if not depth_plot.can_draw():
        _logger.info(depth_plot.HOW_TO_GET)
        return
    try:
        page = depth_plot.draw(evidence, title=title)
    except ValueError as error:
        _logger.warning("No plot of the accuracy by depth: %s", error)
        return
    folder.write_bytes(depth_plot.FILE_NAME, page)
