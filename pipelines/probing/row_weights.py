"""Rows that count by weights: each is multiplied by the square root of its weight."""

from __future__ import annotations

import numpy as np


def roots_of(weights: np.ndarray | None) -> np.ndarray | None:
    """Square roots of weights, float64 `[rows]`, with a mean square of 1."""
    if weights is None:
        return None
    if not (weights > 0).all():
        raise ValueError("A row of weight 0 is not part of a fit. Take it out.")
    return np.sqrt(weights / weights.mean(dtype=np.float64))


def times(values: np.ndarray, roots: np.ndarray | None) -> np.ndarray:
    """Rows times their roots; as they are without roots."""
    return values if roots is None else values * roots[:, None]


def shares_of(labels: np.ndarray, classes: int, roots: np.ndarray | None) -> np.ndarray:
    """The share of each class, float64 `[classes]`, in labels `[rows]`."""
    weights = None if roots is None else np.square(roots)
    return np.bincount(labels, weights, minlength=classes) / len(labels)


def around_offset(
    targets: np.ndarray, roots: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Targets around their mean, times `roots`, and the mean."""
    if roots is None:
        offset = targets.mean(axis=0, dtype=np.float64)
        return targets - offset, offset
    offset = np.square(roots) @ targets.astype(np.float64) / len(targets)
    return times(targets - offset, roots), offset


def around_mean(
    features: np.ndarray, roots: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows around their mean, times `roots`, and the mean."""
    if roots is None:
        mean = features.mean(axis=0, dtype=np.float64)
    else:
        mean = np.square(roots) @ features.astype(np.float64) / len(features)
    x = np.subtract(features, mean, dtype=features.dtype, casting="same_kind")
    if roots is not None:
        x *= roots[:, None].astype(x.dtype)
    return x, mean
