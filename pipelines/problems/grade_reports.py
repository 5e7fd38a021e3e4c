"""Reports on grades: a mistake counts by the square of its distance."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from pipelines.problems.class_reports import EvalReport


@dataclasses.dataclass(frozen=True)
class GradeReport(EvalReport):
    """The quality of predicted grades on one split, besides what classes have.

    `quadratic_kappa` is 1 for no mistake and 0 for the agreement of chance;
    `mean_grade_error` is the mean distance in grades.
    """

    headline: ClassVar[tuple[str, ...]] = ("quadratic_kappa", "accuracy")
    recorded: ClassVar[tuple[str, ...]] = (
        *headline,
        "mean_grade_error",
        "balanced_accuracy",
        "loss",
        "calibration_error",
    )

    quadratic_kappa: float = 0.0
    mean_grade_error: float = 0.0


def with_kappa(
    report: EvalReport,
    labels: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray | None = None,
) -> GradeReport:
    """The report with measures of distance, for grades and weights `[n]` each."""
    far = np.abs(labels - predicted)
    values = {
        field.name: getattr(report, field.name) for field in dataclasses.fields(report)
    }
    return GradeReport(
        **values,
        quadratic_kappa=quadratic_kappa(labels, predicted, weights),
        mean_grade_error=float(np.average(far, weights=weights)),
    )


def quadratic_kappa(
    labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Cohen's kappa with quadratic weights; 0 where both are always the same grade.

    Examples count by their `weights`.
    """
    if weights is not None:
        return _weighted_kappa(labels, predicted, weights)
    squared = np.square(labels - predicted).mean(dtype=np.float64)
    by_chance = (
        labels.var(dtype=np.float64)
        + predicted.var(dtype=np.float64)
        + (labels.mean(dtype=np.float64) - predicted.mean(dtype=np.float64)) ** 2
    )
    return float(1 - squared / by_chance) if by_chance > 0 else 0.0


def _weighted_kappa(
    labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> float:
    share = weights / weights.sum(dtype=np.float64)
    middle, guessed = share @ labels, share @ predicted
    by_chance = (
        share @ np.square(labels - middle)
        + share @ np.square(predicted - guessed)
        + (middle - guessed) ** 2
    )
    squared = share @ np.square(labels - predicted)
    return float(1 - squared / by_chance) if by_chance > 0 else 0.0
