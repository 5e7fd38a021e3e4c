"""Thresholds of labels that promise a rate on new examples, like those held out."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

# Above every probability: the label is never predicted.
NEVER = 2.0
# With this probability a threshold of a label keeps its precision.
CERTAINTY = 0.9
# Each tested threshold predicts this many times as many examples as the one before.
_STEP = 1.15


def logit_for_misses(logits: np.ndarray, labels: np.ndarray, *, rate: float) -> float:
    """The largest logit that, as threshold of all labels, misses at most `rate`.

    Missed is the share of an example's labels that are not predicted, 0 where it has
    none; its expectation over new examples is at most `rate`. Conformal risk control,
    https://arxiv.org/abs/2208.02814: one example more, with all its labels missed, is
    counted. Minus infinity where there are too few examples for any other threshold.
    """
    has = labels > 0
    rows, columns = np.nonzero(has)
    scores = logits[rows, columns].astype(np.float64)
    # A threshold at a score predicts that label; those below it are missed.
    order = np.argsort(scores, kind="stable")
    cost = 1 / has.sum(axis=1)[rows[order]]
    ordered = scores[order]
    missed = np.append(0.0, np.cumsum(cost))
    below = np.searchsorted(ordered, ordered, side="left")
    allowed = np.flatnonzero((missed[below] + 1) / (len(labels) + 1) <= rate)
    if not len(allowed):
        return -np.inf
    highest = int(below[allowed[-1]])
    # Half-way to the next lower one: that example is not lost to rounding.
    lower = ordered[highest - 1] if highest else ordered[0] - 1
    return float((ordered[highest] + lower) / 2)


def threshold_for_precision(
    probabilities: np.ndarray, labels: np.ndarray, *, precision: float
) -> float:
    """The lowest threshold of a label that keeps a precision with 90 % certainty.

    Thresholds are tested from high to low, each one only if the one before passed, so
    that looking at several costs no certainty (https://arxiv.org/abs/2110.01052): with
    a true precision below the stated one, as many right predictions as were counted
    would have a probability of at most 10 %. `NEVER` where the first does not pass.
    """
    order = np.argsort(-probabilities, kind="stable")
    ordered, right = probabilities[order], np.cumsum(labels[order] > 0)
    best = NEVER
    for count in _counts(len(labels), precision):
        # All with the same probability are on one side.
        end = int(np.searchsorted(-ordered, -ordered[count - 1], side="right"))
        if binom.sf(right[end - 1] - 1, end, precision) > 1 - CERTAINTY:
            break
        best = _between(ordered, end)
    return best


def _counts(examples: int, precision: float) -> list[int]:
    """The numbers of predictions to test, from the fewest that can pass."""
    fewest = int(np.ceil(np.log(1 - CERTAINTY) / np.log(precision)))
    counts = []
    count = float(fewest)
    while count <= examples:
        counts.append(int(count))
        count = max(count + 1, count * _STEP)
    return counts


def _between(ordered: np.ndarray, end: int) -> float:
    """Half-way between the last probability that is predicted and the next one."""
    below = ordered[end] if end < len(ordered) else 0.0
    return float((ordered[end - 1] + below) / 2)
