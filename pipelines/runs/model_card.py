"""The model card of a run: what is known of its model, and places for what is not.

With the fields of https://huggingface.co/docs/hub/model-cards. The card in the artifact
has nothing that depends on the machine, so that the same seed gives the same bytes; the
one in the run folder has that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import yaml
from markupsafe import Markup

from pipelines.calibration.calibration import Calibration
from pipelines.comparison.paired import intervals
from pipelines.data.data_card import reasons
from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import DataInfo
from pipelines.display import markdown
from pipelines.display.text import sentences
from pipelines.problems.class_reports import EvalReport
from pipelines.runs.measures_card import measures_card
from pipelines.runs.prepare import Described
from pipelines.runs.result import Outcome
from pipelines.runtime import environment
from pipelines.serving import artifact
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.evaluate import Evaluation
from zoo.builder import Backbone

FILE_NAME = artifact.MODEL_CARD
_TASKS = {
    "image": "image-classification",
    "text": "text-classification",
    "sound": "audio-classification",
}
# Rows of the table of classes; nobody reads thousands.
_MOST_CLASSES = 50
_NAMED = 5
_NO_WEIGHTS = "random: nothing was learned before"
# Below these numbers the card warns.
_FEW_TESTED, _FEW_TRAINED = 100, 20


def model_card(
    prepared: Described,
    calibrated: Calibrated,
    evaluation: Evaluation,
    outcome: Outcome | None = None,
) -> str:
    """The card as Markdown, with a head of YAML.

    With the `outcome` of a run it has what depends on the machine: the reasons of the
    plan, the numbers of the proof, seconds and versions.
    """
    info, spec = prepared.info, prepared.base.spec
    modality = prepared.base.spec.modality
    title = f"{spec.name} on {_data_name(info)}"
    if not prepared.problem.reads_classes:
        return measures_card(title, prepared, calibrated.calibration, evaluation)
    classes, class_note = _classes(evaluation.test, info)
    return markdown.document(
        "model_card.md",
        front=Markup(_front(title, prepared, evaluation.test)),
        title=title,
        details=[
            ("task", f"{modality} classification, {len(info.class_names)} classes"),
            ("backbone", spec.name),
            ("licence of the backbone", spec.license),
            ("strategy", prepared.plan.action),
            ("format", "TensorFlow SavedModel; preprocessing is inside"),
            ("made with", "zootune"),
        ],
        class_count=len(info.class_names),
        modality=modality,
        reference=info.reference,
        fingerprint=info.fingerprint,
        splits=[(name, sum(counts.values())) for name, counts in info.counts.items()],
        skipped=list(reasons(info.skipped).items()),
        metrics=_metrics(calibrated, evaluation),
        baselines=[
            (name.replace("_", " "), value)
            for name, value in evaluation.baselines.items()
        ],
        class_note=class_note,
        classes=classes,
        calibration={
            "reason": calibrated.calibration.reason,
            "rows": _calibration(calibrated.calibration),
        },
        limits=list(_limits(info, evaluation)),
        lineage=_lineage(prepared.base),
        made=_made(prepared, outcome),
        environment=list(environment.installed_versions().items()) if outcome else [],
    )


def _front(title: str, prepared: Described, test: EvalReport) -> str:
    """The fields that a hub of models reads, as YAML."""
    info, spec = prepared.info, prepared.base.spec
    modality = prepared.base.spec.modality
    task = _TASKS.get(modality, "other")
    measured = {"accuracy": test.accuracy, "balanced_accuracy": test.balanced_accuracy}
    result = {
        "task": {"type": task},
        "dataset": {"name": _data_name(info), "type": _data_name(info)},
        "metrics": [
            {"type": name, "value": round(value, 4)} for name, value in measured.items()
        ],
    }
    fields = {
        "license": spec.license.lower(),
        "library_name": "zootune",
        "pipeline_tag": task,
        "tags": ["zootune", "tensorflow", "keras", "transfer-learning", spec.name],
        "datasets": [_data_name(info)],
        "metrics": ["accuracy"],
        "model-index": [{"name": title, "results": [result]}],
    }
    return yaml.safe_dump(fields, sort_keys=False).rstrip()


def _data_name(info: DataInfo) -> str:
    """The name of the data: the last part of their place, without an ending."""
    return PurePath(DatasetRef.parse(info.reference).location).stem or "data"


def _metrics(
    calibrated: Calibrated, evaluation: Evaluation
) -> list[tuple[str, str, str]]:
    columns = []
    for of, report, scores in zip(
        (calibrated.test, calibrated.validation),
        (evaluation.test, evaluation.validation),
        (evaluation.test_scores, evaluation.validation_scores),
    ):
        if scores is None:
            continue
        ends = intervals(
            scores.predicted == of.labels, scores.confidence, scores.loss, of.labels
        )
        columns.append(
            [
                str(report.examples),
                _between(report.accuracy, ends["accuracy"]),
                _between(report.balanced_accuracy, ends["balanced_accuracy"]),
                _between(report.loss, ends["log_loss"]),
                f"{report.calibration_error:.4f}",
            ]
        )
    names = ("examples", "accuracy", "balanced accuracy", "log loss")
    return list(zip((*names, "expected calibration error"), *columns))


def _between(value: float, ends: tuple[float, float]) -> str:
    return f"{value:.4f} ({ends[0]:.4f} to {ends[1]:.4f})"


def _classes(
    test: EvalReport, info: DataInfo
) -> tuple[list[Sequence[str | int | float]], str]:
    """A row for each class, of many the worst, and a sentence on which they are."""
    trained = info.counts.get("train", {})
    rows: list[Sequence[str | int | float]] = [
        (
            name,
            trained.get(name, 0),
            int(row["examples"]),
            *(float(row[key]) for key in ("precision", "recall", "f1")),
        )
        for name, row in test.per_class.items()
    ]
    if len(rows) <= _MOST_CLASSES:
        return rows, "By class, on test:"
    seen = [row for row in rows if row[2]]
    worst = sorted(seen, key=lambda row: float(row[5]))[:_MOST_CLASSES]
    return worst, (
        f"The {len(worst)} classes with the lowest F1 on test, of {len(rows)};"
        " report.json of the run has all:"
    )


def _calibration(calibration: Calibration) -> list[tuple[str, str | float]]:
    rows: list[tuple[str, str | float]] = [
        ("method", calibration.scaling.method),
        ("temperature", calibration.scaling.temperature),
        ("held-out examples", str(calibration.held_out_examples)),
        ("abstains below a confidence of", calibration.confidence_threshold),
    ]
    return rows + [
        (f"smallest probability in a set of level {level:g}", threshold)
        for level, threshold in calibration.set_thresholds
    ]


def _limits(info: DataInfo, evaluation: Evaluation) -> Iterator[str]:
    test = evaluation.test
    yield (
        "It knows these classes only. For anything else it answers with one of them,"
        " unless it finds the input unlike its training data and abstains."
    )
    yield (
        "The numbers hold for data like the test split. They say nothing about data"
        " that were gathered in another way."
    )
    if test.examples < _FEW_TESTED:
        yield f"It was tested on {test.examples} examples only: the intervals are wide."
    trained = info.counts.get("train", {})
    few = [name for name, count in trained.items() if count < _FEW_TRAINED]
    if few:
        yield (
            f"{len(few)} classes have fewer than {_FEW_TRAINED} training examples:"
            f" {listing(few, shown=_NAMED)}."
        )
    missing = [name for name, row in test.per_class.items() if not row["examples"]]
    if missing:
        yield (
            f"{len(missing)} classes have no test example, so nothing is known of"
            f" them: {listing(missing, shown=_NAMED)}."
        )
    if test.accuracy <= evaluation.baselines["commonest_class"]:
        yield "On test, always answering the most frequent class is as good or better."


def _lineage(base: Backbone) -> list[tuple[str, str]]:
    spec = base.spec
    file = spec.weights if base.weights == "default" else None
    rows = [
        ("backbone", f"{spec.name} ({spec.source})"),
        ("handle", spec.handle),
        ("weights", _NO_WEIGHTS if base.weights == "random" else base.weights),
        ("licence", spec.license),
        ("paper", spec.paper),
    ]
    if file is not None:
        rows += [
            ("file of the weights", file.file_name),
            ("licence of the weights", file.license),
            ("package or address", file.package or file.url or "the user's own"),
            ("sha256 of the weights", file.sha256 or "not published"),
        ]
    return [(name, value) for name, value in rows if value]


def _made(prepared: Described, outcome: Outcome | None) -> list[str]:
    proof = (
        "The SavedModel was loaded in a fresh process and answered real examples"
        " as the trained model does, within the tolerance of its number format;"
        " otherwise it would not have been published."
    )
    if outcome is None:
        return [proof]
    parity: Mapping[str, Any] | None = outcome.exported["parity"]
    if parity is None:
        return [
            *sentences(prepared.plan.reason),
            "The model did not pass the quality gate, and was not published.",
        ]
    return [
        *sentences(prepared.plan.reason),
        proof,
        f"{parity['outputs_compared']} outputs were compared; the largest difference is"
        f" {parity['largest_difference']:.1e}; {parity['tolerance']:.1e} is allowed.",
        f"The run took {outcome.seconds['total']:.0f} seconds.",
    ]
