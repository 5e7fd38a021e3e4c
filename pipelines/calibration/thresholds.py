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


def set_threshold(
    probabilities: np.ndarray, labels: np.ndarray, *, level: float
) -> float:
    """The threshold of `threshold_of_truth`, for probabilities `[n, classes]`."""
    return threshold_of_truth(
        probabilities[np.arange(len(labels)), labels], level=level
    )


def threshold_of_truth(of_truth: np.ndarray, *, level: float) -> float:
    """The probability from which a class is in the prediction set.

    `of_truth` are the probabilities of the true class of held-out examples `[n]`.
    Split-conformal (https://arxiv.org/abs/2107.07511, with the probability of the true
    class as score): for new examples like the held-out ones, the set contains the true
    class with probability `level` or more. 0, which means every class, if
    `1 / (1 - level) - 1` is more than the number of examples.
    """
    of_truth = np.sort(of_truth)[::-1]
    rank = keep_rank(len(of_truth), level)
    return float(of_truth[rank - 1] * (1 - EASE)) if rank <= len(of_truth) else 0.0


def prediction_sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Bool `[n, classes]`: classes that reach the threshold, and always the likeliest.

    Otherwise an accurate model would have to leave sets empty to be wrong as often as
    its level allows; so the level is a lower bound.
    """
    sets = probabilities >= threshold
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def confidence_threshold(confidence: np.ndarray, *, share: float) -> float:
    """The confidence that `share` of the examples reach; 0 for `share=1`."""
    if share >= 1:
        return 0.0
    rank = min(keep_rank(len(confidence), share), len(confidence))
    return float(np.sort(confidence)[::-1][rank - 1] * (1 - EASE))


def strangeness_thresholds(
    logits: np.ndarray,
    features: np.ndarray,
    space: FeatureSpace | None,
    *,
    share: float,
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
    rank = np.sort(ranks.max(axis=0))[min(keep_rank(n, share), n) - 1]
    thresholds = {
        name: _threshold(values, int(rank)) for name, values in measures.items()
    }
    return thresholds.get("energy"), thresholds.get("distance"), notes


def distance_threshold(
    features: np.ndarray, space: FeatureSpace | None, *, share: float
) -> tuple[StrangenessThreshold | None, Sequence[str]]:
    """The threshold for the distance alone that keeps `share`; and notes."""
    if share >= 1:
        return None, ["Nothing is refused as unlike the training data."]
    if space is None or not np.isfinite(features).all():
        return None, ["The features have no usable distance: the score is 0 for all."]
    values = space.distances(features)
    if not _differs(values):
        return None, ["Distances are nearly the same for all: the score is 0 for all."]
    rank = min(keep_rank(len(values), share), len(values)) - 1
    return _threshold(values, rank), []


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
