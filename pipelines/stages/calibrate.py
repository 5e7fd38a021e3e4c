"""Stage 5: calibrate on validation, and look at the result on validation and test."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipelines.calibration.calibration import (
    Calibration,
    calibrate,
    prediction_sets,
    to_manifest,
    uncalibrated,
)
from pipelines.calibration.curves import coverage_curve, reliability_curve
from pipelines.calibration.portions import portions
from pipelines.calibration.reliability import (
    PredictionScores,
    concatenated,
    reliability_of,
    score_predictions,
)
from pipelines.config import CalibrationConfig
from pipelines.data.splits import Splits
from pipelines.stages.outputs import Known, OutputRequest, Outputs, outputs
from pipelines.training.transfer_model import TransferModel

# Training examples that show where the classes lie: 20 of each class, or 500 in all if
# that is more, so that a large split does not cost a pass of its own.
_EXAMPLES_PER_CLASS = 20
_EXAMPLES = 500
# Of their features, 256 MiB in float32.
_MOST_NUMBERS = 2**26
_FEWEST_PER_CLASS = 2

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Calibrated:
    """The calibration, and what the model gives for the splits that trained nothing."""

    calibration: Calibration
    validation: Outputs
    test: Outputs


def calibrate_model(
    model: TransferModel,
    splits: Splits,
    calibration: CalibrationConfig,
    *,
    batch_size: int,
    known: Known | None = None,
) -> Calibrated:
    """The calibration of a trained model, from validation; test is only looked at.

    Features that are `known` are not computed again.
    """
    width = int(model.pooled.shape[-1])
    rows = rows_of_each_class(splits.train.labels, width=width)
    of_train = OutputRequest(splits.train, rows, only_features=True)
    some, validation, test = outputs(
        model,
        [of_train, splits.validation, splits.test],
        batch_size=batch_size,
        known=known,
    )
    _logger.info("  fitting on %d examples of validation", len(validation.labels))
    fitted = calibrate(
        validation.logits,
        validation.labels,
        validation.features,
        some.features,
        some.labels,
        calibration=calibration,
    )
    return Calibrated(fitted, validation, test)


def rows_of_each_class(labels: np.ndarray, *, width: int = 0) -> np.ndarray:
    """Rows of the same number of each class, spread evenly and in order.

    If these would not fit into 256 MiB, because features are wide or classes many,
    fewer of each are taken, and two at least.
    """
    present, sizes = np.unique(labels, return_counts=True)
    count = max(_EXAMPLES_PER_CLASS, _EXAMPLES // len(present))
    fit_in = _MOST_NUMBERS // (len(present) * width) if width else count
    count = min(count, max(_FEWEST_PER_CLASS, fit_in))
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
    some = [
        members[np.linspace(0, len(members) - 1, min(count, len(members))).astype(int)]
        for members in by_class
    ]
    return np.sort(np.concatenate(some))


def calibration_report(calibrated: Calibrated) -> dict[str, Any]:
    """The values of `calibration` in `report.json`.

    For each split `before` and `after` are the measures of `Reliability`, and
    `accuracy`, which a bias per class can change. `curves` has the reliability of both,
    and the accuracy by coverage of what is served; see `calibration.curves`.
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
