"""Reports on numbers: errors in the units of the data, and intervals."""

from __future__ import annotations

import dataclasses
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
) -> NumberReport:
    """The report for true numbers and answers: `values`, `lower`, `upper`, `accepted`.

    All are `[n, targets]`, but `accepted`, `[n]`.
    """
    truth = truth.astype(np.float64)
    error = answers["values"] - truth
    lower, upper = answers["lower"], answers["upper"]
    inside = (lower <= truth) & (truth <= upper)
    absolute = np.abs(error).mean(axis=0)
    squared = np.square(error).mean(axis=0)
    explained = r2(error, truth)
    per_target = {
        name: {
            "mean_absolute_error": float(absolute[i]),
            "root_mean_squared_error": float(np.sqrt(squared[i])),
            "r2": float(explained[i]),
            "coverage": float(inside[:, i].mean()),
            "mean_width": float((upper - lower)[:, i].mean()),
        }
        for i, name in enumerate(names)
    }
    return NumberReport(
        split=split,
        examples=len(truth),
        mean_absolute_error=float(absolute.mean()),
        root_mean_squared_error=float(np.sqrt(squared.mean())),
        r2=float(explained.mean()),
        coverage=float(inside.mean()),
        mean_width=float((upper - lower).mean()),
        accepted=float(answers["accepted"].mean()),
        per_target=per_target,
    )


def r2(error: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The share of the variance of each target that is explained, `[targets]`.

    0 where the true numbers are all the same.
    """
    variance = truth.var(axis=0)
    unexplained = np.square(error).mean(axis=0)
    return np.where(
        variance > 0, 1 - unexplained / np.where(variance > 0, variance, 1), 0.0
    )
