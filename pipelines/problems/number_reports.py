"""Reports on numbers: errors in the units of the data, and intervals."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True)
class NumberReport:
    """The quality of predicted numbers on one split.

    Errors are means over targets, in their units; `per_target` has each. `r2` is the
    share of the variance that is explained. `coverage` is the share of the true numbers
    inside of the served interval, and `mean_width` its width.
    """

    headline: ClassVar[tuple[str, ...]] = ("mean_absolute_error", "r2")
    recorded: ClassVar[tuple[str, ...]] = (
        *headline,
        "root_mean_squared_error",
        "coverage",
        "mean_width",
    )

    split: str
    examples: int
    mean_absolute_error: float
    root_mean_squared_error: float
    r2: float
    coverage: float
    mean_width: float
    accepted: float
    per_target: Mapping[str, Mapping[str, float]]


def report(
    split: str,
    truth: np.ndarray,
    answers: Mapping[str, np.ndarray],
    names: Sequence[str],
    weights: np.ndarray | None = None,
) -> NumberReport:
    """The report for true numbers and answers: `values`, `lower`, `upper`, `accepted`.

    All are `[n, targets]`, but `accepted` and `weights`, `[n]`. Where examples have
    weights, all but their number is weighted.
    """
    mean = functools.partial(np.average, axis=0, weights=weights)
    truth = truth.astype(np.float64)
    error = answers["values"] - truth
    lower, upper = answers["lower"], answers["upper"]
    inside = (lower <= truth) & (truth <= upper)
    absolute, squared = mean(np.abs(error)), mean(np.square(error))
    explained = r2(error, truth, weights)
    held, widths = mean(inside), mean(upper - lower)
    per_target = {
        name: {
            "mean_absolute_error": float(absolute[i]),
            "root_mean_squared_error": float(np.sqrt(squared[i])),
            "r2": float(explained[i]),
            "coverage": float(held[i]),
            "mean_width": float(widths[i]),
        }
        for i, name in enumerate(names)
    }
    return NumberReport(
        split=split,
        examples=len(truth),
        mean_absolute_error=float(absolute.mean()),
        root_mean_squared_error=float(np.sqrt(squared.mean())),
        r2=float(explained.mean()),
        coverage=float(held.mean()),
        mean_width=float(widths.mean()),
        accepted=float(mean(answers["accepted"])),
        per_target=per_target,
    )


def r2(
    error: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """The share of the variance of each target that is explained, `[targets]`.

    0 where the true numbers are all the same.
    """
    middle = np.average(truth, axis=0, weights=weights)
    variance = np.average(np.square(truth - middle), axis=0, weights=weights)
    unexplained = np.average(np.square(error), axis=0, weights=weights)
    return np.where(
        variance > 0, 1 - unexplained / np.where(variance > 0, variance, 1), 0.0
    )


class NumberTally:
    """Counts answers on numbers."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._labels: list[np.ndarray] = []
        self._answers: list[dict[str, np.ndarray]] = []
        self._weights: list[np.ndarray] = []

    def add(
        self,
        labels: np.ndarray,
        answers: Mapping[str, np.ndarray],
        weights: np.ndarray | None = None,
    ) -> None:
        """Counts a batch: labels, outputs of the artifact by name, and weights."""
        if weights is not None:
            self._weights.append(weights)
        self._labels.append(labels)
        kept = ("values", "lower", "upper", "accepted")
        self._answers.append({name: answers[name] for name in kept})

    def report(self, split: str) -> NumberReport:
        """The report of all batches."""
        joined = {
            name: np.concatenate([row[name] for row in self._answers])
            for name in self._answers[0]
        }
        labels = np.concatenate(self._labels)
        weights = np.concatenate(self._weights) if self._weights else None
        return report(split, labels, joined, self._names, weights)
