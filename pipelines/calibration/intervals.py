"""Calibration of numbers: from outputs to values, and intervals around them.

Split-conformal intervals (https://arxiv.org/abs/2107.07511) with the absolute error as
score: for new examples like the held-out ones an interval holds the truth with the
probability of its level or more, whatever the model. With a `Spread` the score is the
error over its expected size: intervals are wide where errors are, and hold as much.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from pipelines.calibration.feature_space import FeatureSpace, fit_feature_space
from pipelines.calibration.labels import distance_scores, medians_of, thresholds_of
from pipelines.calibration.spread import Spread
from pipelines.calibration.thresholds import (
    StrangenessThreshold,
    distance_threshold,
    kept_place,
)
from pipelines.config import CalibrationConfig


@dataclasses.dataclass(frozen=True, eq=False)
class NumberAnswers:
    """The answers of an artifact for numbers: float64 `[n, targets]`, and `[n]`."""

    values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    ood_score: np.ndarray
    accepted: np.ndarray


@dataclasses.dataclass(frozen=True)
class Interval:
    """The half width of an interval for each target, and the share that it holds.

    `level` was asked for; `promised` is what the number of held-out examples allows.
    With a spread, half widths are for an expected error of one.
    """

    level: float
    promised: float
    half_widths: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class NumberCalibration:
    """All steps between the outputs `[n, targets]` and the answers of an artifact.

    Values are `output * scale + mean`, and the first interval is served. With a
    `spread` its width follows from the features, and examples whose expected error is
    above `largest_spread` are not accepted.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    intervals: tuple[Interval, ...]
    held_out_examples: int
    distance: StrangenessThreshold | None
    reason: str
    space: FeatureSpace | None = dataclasses.field(default=None, compare=False)
    spread: Spread | None = dataclasses.field(default=None, compare=False)
    largest_spread: float = math.inf

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """The numbers in the units of the data, float64 `[n, targets]`."""
        return outputs.astype(np.float64) * np.array(self.scale) + np.array(self.mean)

    def answer(self, outputs: np.ndarray, features: np.ndarray) -> NumberAnswers:
        """The answers of the artifact's graph for outputs and features `[n, ...]`."""
        values, half = self.values(outputs), self.half_widths(features)
        ood_score = distance_scores(self.distance, self.space, features)
        accepted = ood_score <= 1
        if self.spread is not None:
            accepted &= self.spread(features).max(axis=1) <= self.largest_spread
        return NumberAnswers(values, values - half, values + half, ood_score, accepted)

    def half_widths(self, features: np.ndarray, row: int = 0) -> np.ndarray:
        """Half the widths of an interval, `[n, targets]`, or `[targets]` for all."""
        half = np.array(self.intervals[row].half_widths)
        return half if self.spread is None else half * self.spread(features)

    def to_manifest(self) -> dict[str, Any]:
        """The fields of a manifest: plain values, ready for JSON."""
        return {
            "temperature": 1.0,
            "thresholds": thresholds_of(None, self.distance),
            "calibration": {
                "mean": list(self.mean),
                "scale": list(self.scale),
                "intervals": [dataclasses.asdict(row) for row in self.intervals],
                "widths": "same" if self.spread is None else "by_example",
                "largest_spread": (
                    None if math.isinf(self.largest_spread) else self.largest_spread
                ),
                "spread_bytes": self.spread.size_bytes if self.spread else 0,
                "reason": self.reason,
                "held_out_examples": self.held_out_examples,
                "medians": medians_of(self.distance),
                "feature_space_bytes": self.space.size_bytes if self.space else 0,
            },
        }


def calibrate_numbers(
    outputs: np.ndarray,
    truth: np.ndarray,
    features: np.ndarray,
    train_features: np.ndarray,
    train_strata: np.ndarray,
    *,
    mean: np.ndarray,
    scale: np.ndarray,
    calibration: CalibrationConfig,
    weights: np.ndarray | None = None,
    spread: Spread | None = None,
) -> NumberCalibration:
    """The calibration for held-out outputs, and their true numbers `[n, targets]`.

    `mean` and `scale` `[targets]` undo the standardisation of the targets. Examples
    count by their `weights` `[n]`, above 0 and with a mean of 1. A `spread` that knows
    nothing of these examples has intervals of the width that suits each.
    """
    values = outputs.astype(np.float64) * scale + mean
    errors = np.abs(values - truth)
    sizes = None if spread is None else spread(features)
    if sizes is not None:
        errors = errors / sizes
    order = np.argsort(errors, axis=0)
    errors = np.take_along_axis(errors, order, axis=0)
    ordered = None if weights is None else weights[order]
    intervals = tuple(
        interval(errors, level=level, weights=ordered)
        for level in calibration.conformal_levels
    )
    short = [row for row in intervals if row.promised < row.level]
    notes = [
        f"{len(errors)} held-out examples are too few for the level {row.level:g}: its"
        f" interval, up to the largest error, holds {row.promised:.3f}."
        for row in short
    ]
    space = fit_feature_space(train_features, train_strata)
    distance, why_not = distance_threshold(
        features, space, share=calibration.in_distribution, weights=weights
    )
    served = intervals[0]
    reason = (
        f"Intervals from the errors on {len(errors)} held-out examples; the one of"
        f" level {served.level:g} is served."
    )
    if spread is not None:
        reason += " It is as wide as the error that is expected of an example."
    return NumberCalibration(
        tuple(map(float, mean)),
        tuple(map(float, scale)),
        intervals,
        len(errors),
        distance,
        " ".join([reason, *notes, *why_not]),
        space if distance else None,
        spread,
        math.inf
        if sizes is None
        else _largest(sizes.max(axis=1), calibration.coverage, weights),
    )


def _largest(sizes: np.ndarray, share: float, weights: np.ndarray | None) -> float:
    """The expected error that this share of examples does not exceed."""
    order = np.argsort(sizes)
    place = kept_place(len(sizes), share, None if weights is None else weights[order])
    return float(sizes[order][place]) if share < 1 and place < len(sizes) else math.inf


def interval(
    errors: np.ndarray, *, level: float, weights: np.ndarray | None = None
) -> Interval:
    """The interval of a level, from absolute errors `[n, targets]` in order.

    `weights` are of each error, of the same shape, with a mean of 1.
    """
    n, targets = errors.shape
    promised = min(level, n / (n + 1))
    places = [
        kept_place(n, level, None if weights is None else weights[:, i])
        for i in range(targets)
    ]
    halves = (errors[min(place, n - 1), i] for i, place in enumerate(places))
    return Interval(level, promised, tuple(map(float, halves)))
