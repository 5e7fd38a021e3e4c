"""A new version of the artifact of a run, for changed classes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.classes.finished import FinishedRun
from pipelines.classes.gallery import update_gallery
from pipelines.classes.refit import refit
from pipelines.config import CalibrationConfig
from pipelines.data.splits import DataInfo, Split, relative
from pipelines.data.splitting import fingerprint_of
from pipelines.features import kept_features
from pipelines.features.kept_features import KeptFeatures, KeptSplit
from pipelines.methods.adaptation.head import Adapted, unchanged
from pipelines.planning.adaptation.evidence import Adaptation
from pipelines.planning.plan import TransferPlan
from pipelines.probing.probe import Probe
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import make
from pipelines.report.predictions import PredictionRow
from pipelines.runs import record, report
from pipelines.runs.folder import RunFolder
from pipelines.runs.model_card import model_card
from pipelines.runtime.blas import one_thread
from pipelines.runtime.clock import Clock
from pipelines.serving.artifact import FINGERPRINTS_BEFORE
from pipelines.serving.training_data.neighbours import NeighbourIndex
from pipelines.stages.calibrate import Calibrated, rows_of_each_class
from pipelines.stages.drift_reference import reference_of
from pipelines.stages.evaluate import Evaluation, evaluate_calibrated
from pipelines.stages.export import Extra, export
from pipelines.stages.head import add_head
from pipelines.stages.outputs import Outputs
from pipelines.stages.predictions import rows_of_held_out
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone

# Rows up to which one core solves a head as fast as several.
_FEW = 2000
_SOLVED_ANEW = (
    "Then the classes were changed: the head is one that is solved for training alone,"
    " and validation, which it did not see, calibrates it."
)


@dataclasses.dataclass(frozen=True, eq=False)
class ClassChange:
    """A change of classes that was published.

    `report` is the report of the run as it is now, and `seconds` the time of each
    step. `before` and `after` are accuracies on test.
    """

    class_names: tuple[str, ...]
    artifact_dir: Path
    before: float
    after: float
    seconds: Mapping[str, float]
    report: Mapping[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptationChange:
    """A linear head that was adapted to a target, and the record of it."""

    adapted: Adapted
    record: Adaptation


@dataclasses.dataclass(frozen=True, eq=False)
class _Changed:
    """The run with changed classes, as its card describes it."""

    base: Backbone
    info: DataInfo
    plan: TransferPlan
    problem: Problem


def publish_changed(
    run: FinishedRun,
    trained: Callable[[], Backbone],
    kept: KeptFeatures,
    examples: Split,
    clock: Clock,
    *,
    change: Mapping[str, Any],
    adaptation: AdaptationChange | None = None,
) -> ClassChange:
    """Fits the head, calibrates, exports with proof, and brings the report up to date.

    `trained` gives the backbone of the run, which is exported with the new head.
    `examples` are some to prove parity with, and `change` goes on record. With an
    `adaptation` its head is taken, and none is fitted.

    Raises:
        ArtifactError: if the export failed; the run is as it was then.
    """
    names, info = kept.class_names, _info(run, kept)
    problem = make(info.problem, names, kept.train.labels)
    adapted = adaptation.adapted if adaptation else _fitted(run, kept, clock)
    with clock.stage("calibrate", "on validation"), one_thread():
        calibrated = _calibrated(adapted, kept, problem, run.config.calibration)
    evaluation = _evaluation(calibrated, problem, kept.train)
    plan, base = _plan_now(run), trained()
    changed = _Changed(base, info, plan, problem)
    card = model_card(changed, calibrated, evaluation)
    folder = RunFolder(run.path)
    facts = record.artifact_facts(info, plan, evaluation)
    facts["data"][FINGERPRINTS_BEFORE] = _fingerprints(run)
    with clock.stage("export", f"to {folder.artifact_base}"):
        exported = export(
            _model(run, base, adapted.head),
            calibrated.calibration,
            examples,
            folder.artifact_base,
            problem=problem,
            facts=facts,
            model_card=card,
            explain=run.config.export.explain,
            extras=_extras(run, kept, calibrated, names),
        )
    kept_features.save(kept, run.next_features_path)
    values = {
        **_measured(run, changed, calibrated, evaluation),
        "data": facts["data"],
        "artifact": str(exported.path),
        "parity": dict(exported.manifest.parity),
        "changes": [*run.report.get("changes", []), dict(change)],
    }
    if adaptation is not None:
        values["adaptation"] = dataclasses.asdict(adaptation.record)
    update_gallery(run.path, kept, _rows(calibrated, kept))
    report.finish(
        folder,
        record.without_nan(values),
        _rows(calibrated, kept),
        card,
        again="it publishes one more version",
    )
    run.settle_features(names)
    return ClassChange(
        class_names=names,
        artifact_dir=exported.path,
        before=run.report["test"]["accuracy"],
        after=evaluation.test.accuracy,
        seconds=dict(clock.seconds),
        report=values,
    )


def _measured(
    run: FinishedRun,
    changed: _Changed,
    calibrated: Calibrated,
    evaluation: Evaluation,
) -> dict[str, Any]:
    """The report of the run, with what was measured of its changed head."""
    plan = changed.plan
    values = {
        **run.report,
        **{row.split: dataclasses.asdict(row) for row in evaluation.reports},
        "calibration": changed.problem.calibration_report(calibrated),
        "plan": {"action": plan.action, "reason": plan.reason},
        "class_names": list(changed.info.class_names),
        "baselines": dict(evaluation.baselines),
    }
    values.pop("folds", None)  # of heads that are no longer part of it
    return values


def _fitted(run: FinishedRun, kept: KeptFeatures, clock: Clock) -> Adapted:
    """The head in closed form, which is adapted to nothing."""
    in_words = f"{len(kept.class_names)} classes, in closed form"
    with clock.stage("head", in_words), _threads(kept):
        return unchanged(
            refit(kept, balanced=run.plan.balances_classes, seed=run.plan.seed)
        )


def _threads(kept: KeptFeatures) -> contextlib.AbstractContextManager[object]:
    """One thread for a head of few examples; else as many as there are."""
    is_small = len(kept.train.features) <= _FEW
    return one_thread() if is_small else contextlib.nullcontext()


def _plan_now(run: FinishedRun) -> TransferPlan:
    """The plan of the run, and a line on the head if that was of other examples."""
    plan = run.plan
    if not (plan.head.refit or run.config.folds):
        return plan
    return dataclasses.replace(
        plan,
        head=dataclasses.replace(plan.head, refit=False),
        reason=f"{plan.reason}\n{_SOLVED_ANEW}",
    )


def _fingerprints(run: FinishedRun) -> list[str]:
    """The fingerprints of the data of the run before each change, oldest first."""
    data = run.report["data"]
    return [*data.get(FINGERPRINTS_BEFORE, []), data["fingerprint"]]


def _model(run: FinishedRun, base: Backbone, probe: Probe) -> TransferModel:
    head = dataclasses.replace(run.plan.head, init="probe")
    return add_head(base, classes=len(probe.bias), plan=head, probe=probe)


def _calibrated(
    adapted: Adapted,
    kept: KeptFeatures,
    problem: Problem,
    calibration: CalibrationConfig,
) -> Calibrated:
    """The calibration, on source examples where those of a target would lie."""

    def answered(name: str, split: KeptSplit, head: Probe, features: Any) -> Outputs:
        logits = head.logits(kept.parts(split.features.astype(np.float32)))
        weights = relative(split.sample_weights)
        return Outputs(name, split.labels, logits, features, weights)

    validation, test = kept.validation, kept.test
    moved = adapted.moved if adapted.head is not adapted.for_source else _as_it_is
    of_validation = answered(
        "validation", validation, adapted.for_source, moved(validation.features)
    )
    of_test = answered("test", test, adapted.head, _as_it_is(test.features))
    labels, features = _train_features(kept.train)
    fitted = problem.calibrate(
        of_validation.counting(), moved(features), labels, calibration=calibration
    )
    return Calibrated(fitted, of_validation, of_test)


def _as_it_is(features: np.ndarray) -> np.ndarray:
    return features.astype(np.float32)


def _evaluation(
    calibrated: Calibrated, problem: Problem, train: KeptSplit
) -> Evaluation:
    commonest = np.bincount(train.labels, train.sample_weights).argmax()
    is_commonest = calibrated.test.labels == commonest
    share = float(np.average(is_commonest, weights=calibrated.test.weights))
    evaluation = evaluate_calibrated(calibrated, problem)
    return dataclasses.replace(evaluation, baselines={"commonest_class": share})


def _rows(calibrated: Calibrated, kept: KeptFeatures) -> Iterator[PredictionRow]:
    """The predictions for validation and test, as a run writes them."""
    return rows_of_held_out(
        calibrated,
        [iter(split.names.tolist()) for split in (kept.validation, kept.test)],
        class_names=kept.class_names,
    )


def _train_features(train: KeptSplit) -> tuple[np.ndarray, np.ndarray]:
    """Labels and features of some training examples, as many of each class."""
    labels, features = train.labels[train.rows], train.first_view()
    rows = rows_of_each_class(labels, width=features.shape[1])
    return labels[rows], features[rows].astype(np.float32)


def _info(run: FinishedRun, kept: KeptFeatures) -> DataInfo:
    splits = kept.splits
    contents = np.concatenate([split.contents for split in splits.values()])
    labels = np.concatenate([split.labels for split in splits.values()])
    weights = np.concatenate([split.weights for split in splits.values()])
    classes = len(kept.class_names)
    counts = {
        name: dict(
            zip(kept.class_names, np.bincount(split.labels, minlength=classes).tolist())
        )
        for name, split in splits.items()
    }
    return DataInfo(
        class_names=kept.class_names,
        counts=counts,
        fingerprint=fingerprint_of(
            [content.decode() for content in contents],
            [kept.class_names[label] for label in labels],
            None if kept.train.sample_weights is None else weights,
        ),
        reference=run.report["data"]["reference"],
        skipped=(),
    )


def _extras(
    run: FinishedRun,
    kept: KeptFeatures,
    calibrated: Calibrated,
    class_names: Sequence[str],
) -> list[Extra]:
    """What the artifact is to know of its training data, as the config of the run says.

    The index is of the features that the head is fitted to.
    """
    train = kept.train
    extras: list[Extra] = []
    if run.config.export.neighbours:
        labels = [kept.class_names[label] for label in train.labels[train.rows]]
        names = train.names[train.rows].tolist()
        extras.append(NeighbourIndex.of(train.first_view(), names, labels))
    if run.config.export.drift:
        extras.append(reference_of(calibrated, class_names=class_names))
    return extras
