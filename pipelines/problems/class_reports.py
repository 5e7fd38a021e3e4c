"""Reports on classes: accuracy by class, reliability, and what is accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn import metrics

from pipelines.calibration.calibration import (
    Calibration,
    prediction_sets,
    to_manifest,
    uncalibrated,
)
from pipelines.calibration.curves import coverage_curve, reliability_curve
from pipelines.calibration.portions import portions
from pipelines.calibration.reliability import (
    PredictionScores,
    calibration_error_of,
    concatenated,
    reliability_of,
    score_predictions,
)
from pipelines.problems.protocol import Outputs

# Up to this number of classes the report counts every pair; of 10,000 classes that
# would be gigabytes.
MATRIX_CLASSES = 100


@dataclasses.dataclass(frozen=True)
class EvalReport:
    """The quality of predictions on one split.

    With `confusion_form` "matrix", `confusion[i][j]` counts examples of class `i` that
    were taken for class `j`; of over 100 classes it is "pairs", and `confusion` has
    `(i, j, count)` for every pair that occurs. `per_class` has precision, recall, F1
    and the number of examples of each class. `balanced_accuracy` is the mean recall of
    the classes that have examples, and `calibration_error` how far confidence is from
    accuracy, in 15 bins. Where examples have weights, all but the counts and the
    calibration error are weighted.
    """

    headline: ClassVar[tuple[str, ...]] = ("accuracy", "balanced_accuracy")
    recorded: ClassVar[tuple[str, ...]] = (*headline, "loss", "calibration_error")

    split: str
    examples: int
    accuracy: float
    balanced_accuracy: float
    loss: float
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    per_class: Mapping[str, Mapping[str, float]]
    confusion_form: str = "matrix"


def evaluate(
    outputs: Outputs,
    calibration: Calibration,
    *,
    class_names: Sequence[str],
    scores: PredictionScores | None = None,
) -> EvalReport:
    """The report of what is served: the outputs of a model, calibrated.

    `scores` are the calibrated ones, if they are known.
    """
    return summarized(
        outputs.split,
        scores or calibrated_scores(calibration, outputs),
        labels=outputs.labels,
        class_names=class_names,
        weights=outputs.weights,
    )


def summarize(
    split_name: str,
    *,
    labels: np.ndarray,
    log_probabilities: np.ndarray,
    class_names: Sequence[str],
) -> EvalReport:
    """The report for labels `[n]` and log probabilities `[n, classes]`."""
    scores = score_predictions(log_probabilities, labels)
    return summarized(split_name, scores, labels=labels, class_names=class_names)


def summarized(
    split_name: str,
    scores: PredictionScores,
    *,
    labels: np.ndarray,
    class_names: Sequence[str],
    weights: np.ndarray | None = None,
) -> EvalReport:
    """The report for scores, labels and weights, `[n]` each."""
    is_right = scores.predicted == labels
    classes = range(len(class_names))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels,
        scores.predicted,
        labels=list(classes),
        zero_division=0.0,
        sample_weight=weights,
    )
    counts = np.bincount(labels, minlength=len(class_names))
    confusion_form, confusion = _confusion(labels, scores.predicted, len(classes))
    return EvalReport(
        split=split_name,
        examples=len(labels),
        accuracy=float(np.average(is_right, weights=weights)),
        balanced_accuracy=float(recall[support > 0].mean()),
        loss=float(np.average(scores.loss, weights=weights)),
        calibration_error=calibration_error_of(scores.confidence, is_right),
        confusion=confusion,
        per_class={
            class_names[i]: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "examples": int(counts[i]),
            }
            for i in classes
        },
        confusion_form=confusion_form,
    )


def _confusion(
    labels: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """Its form, and the counts: of many classes only those of pairs that occur."""
    numbers, counts = np.unique(
        labels.astype(np.int64) * classes + predicted, return_counts=True
    )
    if classes > MATRIX_CLASSES:
        pairs = np.stack([*np.divmod(numbers, classes), counts], axis=1)
        return "pairs", tuple(map(tuple, pairs.tolist()))
    matrix = np.zeros(classes * classes, np.int64)
    matrix[numbers] = counts
    return "matrix", tuple(map(tuple, matrix.reshape(classes, classes).tolist()))


def calibration_report(calibrated: Any) -> dict[str, Any]:
    """The values of `calibration` in `report.json`.

    `calibrated` has the calibration, and the outputs for validation and test. For each
    split `before` and `after` are the measures of `Reliability`, and `accuracy`, which
    a bias per class can change. `curves` has the reliability of both, and the accuracy
    by coverage of what is served; see `calibration.curves`.
    """
    fitted = calibrated.calibration
    values = to_manifest(fitted)
    return {
        **values.pop("calibration"),
        **values,
        **{
            outputs.split: _measured(fitted, outputs)
            for outputs in (calibrated.validation, calibrated.test)
        },
    }


def _measured(calibration: Calibration, of: Outputs) -> dict[str, Any]:
    before = uncalibrated(of.logits.shape[1], reason="")
    accepted, sets = _answers(calibration, of)
    scores_before, scores = (calibrated_scores(c, of) for c in (before, calibration))
    return {
        "examples": len(of.labels),
        "before": _reliability(scores_before, of.labels),
        "after": _reliability(scores, of.labels),
        **accepted,
        "prediction_sets": sets,
        "curves": {
            "before": _curve(reliability_curve, scores_before, of.labels),
            "after": _curve(reliability_curve, scores, of.labels),
            "coverage": _curve(coverage_curve, scores, of.labels),
        },
    }


def _reliability(scores: PredictionScores, labels: np.ndarray) -> Mapping[str, float]:
    right = scores.predicted == labels
    measures = dataclasses.asdict(reliability_of(scores, labels))
    return {"accuracy": float(right.mean()), **measures}


def _curve(
    curve: Callable[[np.ndarray, np.ndarray], list[dict[str, float]]],
    scores: PredictionScores,
    labels: np.ndarray,
) -> list[dict[str, float]]:
    return curve(scores.confidence, scores.predicted == labels)


def calibrated_scores(calibration: Calibration, of: Outputs) -> PredictionScores:
    """The scores of the calibrated probabilities, for every example."""
    return concatenated(
        score_predictions(
            calibration.scaling.log_probabilities(of.logits[rows]), of.labels[rows]
        )
        for rows in portions(*of.logits.shape)
    )


def _answers(
    calibration: Calibration, of: Outputs
) -> tuple[dict[str, float | None], list[dict[str, float]]]:
    """Shares of what is accepted, and how good the sets of every level are.

    A portion of the examples at a time: of thousands of classes their probabilities
    would fill the memory.
    """
    told = []
    kept: dict[float, list[tuple[np.ndarray, np.ndarray]]] = {
        level: [] for level, _ in calibration.set_thresholds
    }
    for rows in portions(*of.logits.shape):
        labels = of.labels[rows]
        answers = calibration.answer(of.logits[rows], of.features[rows])
        told.append(
            (
                answers.labels == labels,
                answers.accepted,
                answers.is_confident,
                answers.in_distribution,
            )
        )
        for level, threshold in calibration.set_thresholds:
            sets = prediction_sets(answers.probabilities, threshold)
            holds = sets[np.arange(len(labels)), labels]
            kept[level].append((holds, sets.sum(axis=1)))
    right, accepted, confident, in_distribution = map(np.concatenate, zip(*told))
    shares = {
        "accepted": float(accepted.mean()),
        "confident": float(confident.mean()),
        "in_distribution": float(in_distribution.mean()),
        "accuracy_of_accepted": (
            float(right[accepted].mean()) if accepted.any() else None
        ),
    }
    return shares, [
        {"level": level, "coverage": float(holds.mean()), "mean_size": float(n.mean())}
        for level, parts in kept.items()
        for holds, n in [map(np.concatenate, zip(*parts))]
    ]
