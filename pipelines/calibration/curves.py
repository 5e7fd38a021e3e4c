"""Curves of the confidence of predictions: reliability, and accuracy by coverage."""

from __future__ import annotations

import numpy as np

_MOST_BINS = 15
# A bin of fewer says more of chance than of the model.
_FEWEST_PER_BIN = 20
_POINTS = 100


def reliability_curve(
    confidence: np.ndarray, is_right: np.ndarray
) -> list[dict[str, float]]:
    """Mean confidence, accuracy and size of bins of examples of similar confidence.

    Examples `[n]` are sorted by confidence and cut into at most 15 bins of equal size,
    with 20 examples in each at least. Fewer examples than that have no curve.
    """
    bins = min(_MOST_BINS, len(confidence) // _FEWEST_PER_BIN)
    if bins == 0:
        return []
    order = np.argsort(confidence, kind="stable")
    return [
        {
            "confidence": float(confidence[rows].mean()),
            "accuracy": float(is_right[rows].mean()),
            "examples": len(rows),
        }
        for rows in np.array_split(order, bins)
    ]


def coverage_curve(
    confidence: np.ndarray, is_right: np.ndarray
) -> list[dict[str, float]]:
    """Accuracy of the most confident examples, for shares of them up to all.

    A point has the share `coverage`, the confidence `threshold` that keeps it, and the
    accuracy of what is kept. Examples of equal confidence are kept together. There are
    about 100 points at most.
    """
    order = np.argsort(-confidence, kind="stable")
    kept, right = confidence[order], np.cumsum(is_right[order])
    ends = np.append(np.flatnonzero(np.diff(kept)), len(kept) - 1)
    places = np.unique(np.linspace(0, len(ends) - 1, _POINTS).round().astype(int))
    return [
        {
            "threshold": float(kept[end]),
            "coverage": float((end + 1) / len(kept)),
            "accuracy": float(right[end] / (end + 1)),
        }
        for end in ends[places]
    ]
