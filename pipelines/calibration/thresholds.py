"""Thresholds set by held-out examples: for confidence, strangeness, prediction sets.

Each keeps a share of new examples, as long as they are like the held-out ones. Nothing
else is assumed, so that every threshold is one of the held-out values.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from pipelines.calibration.feature_space import FeatureSpace
from pipelines.calibration.portions import portions

# Thresholds are relaxed by this, relative, so that rounding in float32 does not refuse
# the very examples that set them.
EASE = 1e-4
# A measure that hardly differs between examples is useless, and float32 would blur it.
_LEAST_SPREAD = 1e-2


@dataclasses.dataclass(frozen=True)
class StrangenessThreshold:
    """The usual value of a measure of strangeness, and the largest that is accepted."""

    median: float
    largest: float

    def score(self, values: np.ndarray) -> np.ndarray:
        """0 for the usual value, 1 at the threshold, more above."""
        return (values - self.median) / (self.largest - self.median)


def energies(logits: np.ndarray) -> np.ndarray:
    """`-logsumexp(logits)`, `[n]`: higher is stranger."""
    values = np.empty(len(logits))
    for rows in portions(*logits.shape):
        values[rows] = -logsumexp(logits[rows].astype(np.float64), axis=1)
    return values


def keep_rank(examples: int, share: float) -> int:
    """The rank of the value that becomes a threshold, counted from the least strange.

    A threshold at the `ceil((n + 1) * share)`-th of `n` values keeps that share of new
    examples on average. A rank above `examples` means that they are too few.
    """
    # Rounded first: (99 + 1) * 0.99 is a hair over 99 in floating point.
    return math.ceil(round((examples + 1) * share, 9))


def kept_place(examples: int, share: float, weights: np.ndarray | None) -> int:
    """The place, from 0, of the value of `keep_rank` among values in order.

    `weights`, in the same order, have a mean of 1: a new example counts as one.
    """
    if weights is None:
        return keep_rank(examples, share) - 1
    needed = round((examples + 1) * share, 9)
    return int(np.searchsorted(np.cumsum(weights, dtype=np.float64), needed - 1e-6))


def _ordered(weights: np.ndarray | None, order: np.ndarray) -> np.ndarray | None:
    return None if weights is None else weights[order]


def set_threshold(
    probabilities: np.ndarray, labels: np.ndarray, *, level: float
) -> float:
    """The threshold of `threshold_of_truth`, for probabilities `[n, classes]`."""
    return threshold_of_truth(
        probabilities[np.arange(len(labels)), labels], level=level
    )


def threshold_of_truth(
    of_truth: np.ndarray, *, level: float, weights: np.ndarray | None = None
) -> float:
    """The probability from which a class is in the prediction set.

    `of_truth` are the probabilities of the true class of held-out examples `[n]`.
    Split-conformal (https://arxiv.org/abs/2107.07511, with the probability of the true
    class as score): for new examples like the held-out ones, the set contains the true
    class with probability `level` or more. 0, which means every class, if
    `1 / (1 - level) - 1` is more than the number of examples. With `weights`, of a mean
    of 1, the share of new examples that is kept is one of their weights.
    """
    order = np.argsort(of_truth)[::-1]
    of_truth = of_truth[order]
    place = kept_place(len(of_truth), level, _ordered(weights, order))
    return float(of_truth[place] * (1 - EASE)) if place < len(of_truth) else 0.0


def prediction_sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Bool `[n, classes]`: classes that reach the threshold, and always the likeliest.

    Otherwise an accurate model would have to leave sets empty to be wrong as often as
    its level allows; so the level is a lower bound.
    """
    sets = probabilities >= threshold
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def confidence_threshold(
    confidence: np.ndarray, *, share: float, weights: np.ndarray | None = None
) -> float:
    """The confidence that `share` of the examples reach; 0 for `share=1`."""
    if share >= 1:
        return 0.0
    n, order = len(confidence), np.argsort(confidence)[::-1]
    place = min(kept_place(n, share, _ordered(weights, order)), n - 1)
    return float(confidence[order][place] * (1 - EASE))


def strangeness_thresholds(
    logits: np.ndarray,
    features: np.ndarray,
    space: FeatureSpace | None,
    *,
    share: float,
    weights: np.ndarray | None = None,
) -> tuple[StrangenessThreshold | None, StrangenessThreshold | None, Sequence[str]]:
    """Thresholds for energy and distance that together keep `share`; and notes."""
    if share >= 1:
        return None, None, ["Nothing is refused as unlike the training data."]
    measures = {"energy": energies(logits)}
    if space is not None and np.isfinite(features).all():
        measures["distance"] = space.distances(features)
    measures = {name: values for name, values in measures.items() if _differs(values)}
    notes = [
        f"No threshold for {name}: it is nearly the same for all, or not finite."
        for name in ("energy", "distance")
        if name not in measures
    ]
    if not measures:
        notes.append("So there is no out-of-distribution score: it is 0 for all.")
        return None, None, notes
    n = len(logits)
    if keep_rank(n, share) > n:
        notes.append(
            f"To keep {share:g} of new examples, {math.ceil(share / (1 - share))}"
            f" held-out ones are needed; the thresholds are the strangest of {n}."
        )
    # The larger rank of an example counts, so that both measures together keep the
    # share, whatever their scales.
    ranks = np.stack([values.argsort().argsort() for values in measures.values()])
    larger = ranks.max(axis=0)
    order = np.argsort(larger, kind="stable")
    rank = larger[order][min(kept_place(n, share, _ordered(weights, order)), n - 1)]
    thresholds = {
        name: _threshold(values, int(rank)) for name, values in measures.items()
    }
    return thresholds.get("energy"), thresholds.get("distance"), notes


def distance_threshold(
    features: np.ndarray,
    space: FeatureSpace | None,
    *,
    share: float,
    weights: np.ndarray | None = None,
) -> tuple[StrangenessThreshold | None, Sequence[str]]:
    """The threshold for the distance alone that keeps `share`; and notes."""
    if share >= 1:
        return None, ["Nothing is refused as unlike the training data."]
    if space is None or not np.isfinite(features).all():
        return None, ["The features have no usable distance: the score is 0 for all."]
    values = space.distances(features)
    if not _differs(values):
        return None, ["Distances are nearly the same for all: the score is 0 for all."]
    order = np.argsort(values)
    place = kept_place(len(values), share, _ordered(weights, order))
    return _threshold(values, min(place, len(values) - 1)), []


def _differs(values: np.ndarray) -> bool:
    return _is_beyond(float(values.max()), float(np.median(values)))


def _threshold(values: np.ndarray, rank: int) -> StrangenessThreshold:
    """The threshold at a rank; at the strangest value if the rank has a usual one."""
    median, largest = float(np.median(values)), float(np.sort(values)[rank])
    if not _is_beyond(largest, median):
        largest = float(values.max())
    return StrangenessThreshold(median, largest + EASE * (largest - median))


def _is_beyond(value: float, median: float) -> bool:
    return value - median > _LEAST_SPREAD * max(1.0, abs(median))
