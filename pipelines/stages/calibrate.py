"""Stage 5: calibrate on validation, and look at the result on validation and test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.config import CalibrationConfig
from pipelines.data.splits import Split, Splits
from pipelines.planning.calibration import (
    Answers,
    Calibration,
    calibrate,
    prediction_sets,
    to_manifest,
    uncalibrated,
)
from pipelines.planning.reliability import reliability
from pipelines.stages.head import TransferModel
from pipelines.stages.outputs import Known, Outputs, Wanted, outputs

# Training examples that tell where the classes lie, so that a large split costs no pass
# of its own: 20 of each class, or 500 in all if that is more.
_EXAMPLES_PER_CLASS = 20
_EXAMPLES = 500


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

    What is `known` of the backbone is not read again.
    """
    of_train = Wanted(splits.train, rows_of_each_class(splits.train.labels))
    some, validation, test = outputs(
        model,
        [of_train, splits.validation, splits.test],
        batch_size=batch_size,
        known=known,
    )
    found = calibrate(
        validation.logits,
        validation.labels,
        validation.features,
        some.features,
        some.labels,
        calibration=calibration,
    )
    return Calibrated(found, validation, test)


def some_of_each_class(split: Split) -> Split:
    """Equally many of each class where there are, spread evenly over the split."""
    return split.take(rows_of_each_class(split.labels))


def rows_of_each_class(labels: np.ndarray) -> np.ndarray:
    """The rows of equally many of each class where there are, in order."""
    present = np.unique(labels)
    wanted = max(_EXAMPLES_PER_CLASS, _EXAMPLES // len(present))
    rows = [np.flatnonzero(labels == label) for label in present]
    some = [
        members[np.linspace(0, len(members) - 1, min(wanted, len(members))).astype(int)]
        for members in rows
    ]
    return np.sort(np.concatenate(some))


def calibration_report(calibrated: Calibrated) -> dict[str, Any]:
    """The values of `calibration` in `report.json`.

    For each split `before` and `after` are the measures of `Reliability`, and
    `accuracy`, which a bias per class can change.
    """
    found = calibrated.calibration
    values = to_manifest(found)
    return {
        **values.pop("calibration"),
        **values,
        **{
            one.split: _measured(found, one)
            for one in (calibrated.validation, calibrated.test)
        },
    }


def _measured(found: Calibration, of: Outputs) -> dict[str, Any]:
    before = uncalibrated(of.logits.shape[1], reason="")
    answers = found.answer(of.logits, of.features)
    return {
        "examples": len(of.labels),
        "before": _reliability(before, of),
        "after": _reliability(found, of),
        **_accepted(answers, of.labels),
        "prediction_sets": [
            {"level": level, **_sets(answers, of.labels, threshold)}
            for level, threshold in found.set_thresholds
        ],
    }


def _reliability(calibration: Calibration, of: Outputs) -> Mapping[str, float]:
    log_probabilities = calibration.scaling.log_probabilities(of.logits)
    right = log_probabilities.argmax(axis=1) == of.labels
    measures = dataclasses.asdict(reliability(log_probabilities, of.labels))
    return {"accuracy": float(right.mean()), **measures}


def _accepted(answers: Answers, labels: np.ndarray) -> dict[str, float | None]:
    """Shares of all examples, and how many of the accepted ones are right."""
    right, accepted = answers.labels == labels, answers.accepted
    return {
        "accepted": float(accepted.mean()),
        "confident": float(answers.is_confident.mean()),
        "in_distribution": float(answers.in_distribution.mean()),
        "accuracy_of_accepted": (
            float(right[accepted].mean()) if accepted.any() else None
        ),
    }


def _sets(answers: Answers, labels: np.ndarray, threshold: float) -> dict[str, float]:
    sets = prediction_sets(answers.probabilities, threshold)
    return {
        "coverage": float(sets[np.arange(len(labels)), labels].mean()),
        "mean_size": float(sets.sum(axis=1).mean()),
    }
