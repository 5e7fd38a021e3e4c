"""Detectors of anomalies in closed form, fitted to features of normal examples alone.

All look at the features through their main directions: what normal examples vary in,
and what is left over. `dfm` is the Gaussian of arXiv 1909.11786 on these directions
with one variance for the rest, `pca` the length of the rest alone, and `nearest` the
distance to the nearest normal example.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from pipelines.probing.probe import Probe, Standardization, require_finite

METHODS = ("dfm", "pca", "nearest")
# The share of the variance that the main directions have, and the most of them.
_SHARE, _MOST_DIRECTIONS = 0.97, 256
# Examples that a nearest neighbour is looked for among: 2 MB with all directions.
_MOST_NEIGHBOURS = 2000
# Relative to the mean variance of a kept direction: rounding must not be divided by.
_LEAST_VARIANCE = 1e-3
# An example this many robust deviations farther from its nearest one than usual does
# not show what is normal. Fewer examples do not show what is usual.
_FAR, _FEWEST_JUDGED = 5.0, 20
_NORMAL_MAD = 1.4826
_TINY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Detector(Probe):
    """A detector as the layers of a head need it.

    `kernel` `[width, directions]` gives the place of an example along the main
    directions, and `variances` are what normal examples have there. `outside_variance`
    is the mean variance along the other directions. `neighbours` `[n, directions]` are
    places of normal examples. `left_out` are rows that it was not fitted to, because
    they are far from all others.
    """

    variances: np.ndarray
    outside_variance: float
    neighbours: np.ndarray
    left_out: np.ndarray
    method: str = METHODS[0]

    def of_method(self, method: str) -> Detector:
        """The same examples, scored by another method."""
        return dataclasses.replace(self, method=method)

    def scores(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """How strange examples are, float64 `[n]`: 0 is the middle of the normal ones.

        `parts` has an array of features `[n, width]` for every block.
        """
        features = self.standardization(parts).astype(np.float64)
        inside = features @ self.kernel.astype(np.float64)
        outside = np.square(features).sum(axis=1) - np.square(inside).sum(axis=1)
        outside = np.maximum(outside, 0.0) / self.outside_variance
        if self.method == "pca":
            return np.sqrt(outside)
        if self.method == "dfm":
            return np.sqrt(np.square(inside) @ (1 / self.variances) + outside)
        squares = _squared_distances(inside, self.neighbours.astype(np.float64))
        return np.sqrt(squares.min(axis=1) / self.outside_variance + outside)


Kind = TypeVar("Kind", bound=Detector)


def of_kind(kind: type[Kind], detector: Detector, **more: Any) -> Kind:
    """The same detector as one of another kind, with what that has besides."""
    values = {
        field.name: getattr(detector, field.name)
        for field in dataclasses.fields(Detector)
    }
    return kind(**values, **more)


def fit_detector(parts: Sequence[np.ndarray]) -> Detector:
    """The detector of normal examples: an array `[n, width]` for every block.

    Examples that are far from all others are left out, so that a few anomalies among
    many normal examples do not become normal.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    require_finite(parts)
    whole = np.concatenate([part.astype(np.float32) for part in parts], axis=1)
    far = _far_rows(_standardization(parts)([whole]))
    kept = np.setdiff1d(np.arange(len(whole)), far)
    standardization = _standardization([part[kept] for part in parts])
    features = standardization([whole[kept]]).astype(np.float64)
    axes, variances, rest = _main_directions(features)
    places = features @ axes
    some = np.linspace(0, len(places) - 1, min(len(places), _MOST_NEIGHBOURS))
    return Detector(
        standardization,
        kernel=axes.astype(np.float32),
        bias=np.zeros(axes.shape[1], np.float32),
        variances=variances,
        outside_variance=rest,
        neighbours=places[some.astype(int)].astype(np.float32),
        left_out=far,
    )


def _standardization(parts: Sequence[np.ndarray]) -> Standardization:
    """Minus the mean, over the length that the features of a block usually have.

    Features of a block keep their sizes beside each other: few normal examples do not
    show the deviation of each.
    """
    means, scales = [], []
    for part in parts:
        values = part.astype(np.float32)
        mean = values.mean(axis=0)
        length = float(np.sqrt(np.square(values - mean).sum(axis=1).mean()))
        means.append(mean)
        scales.append(np.full(len(mean), max(length, 1e-6), np.float32))
    return Standardization(np.concatenate(means), np.concatenate(scales))


def _main_directions(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Axes `[width, k]`, the variance along each, and the variance of all the rest.

    A single example has the variance 1 in a direction that no other example has.
    """
    n, width = features.shape
    _, singular, axes = np.linalg.svd(features, full_matrices=False)
    variances = np.square(singular) / max(n - 1, 1)
    total = variances.sum()
    if total <= _TINY:
        return np.eye(width, 1), np.ones(1), 1.0
    # Without the last two, so that something is left to know the rest by.
    most = max(1, min(_MOST_DIRECTIONS, n - 2, len(variances) - 1))
    count = int(np.searchsorted(np.cumsum(variances) / total, _SHARE)) + 1
    count = min(count, most)
    rest = variances[count:]
    # Of each direction outside that examples span, as in probabilistic PCA.
    outside = float(rest.sum() / max(1, len(rest))) if len(rest) else 0.0
    floor = _LEAST_VARIANCE * variances[:count].mean()
    return (
        axes[:count].T,
        np.maximum(variances[:count], floor),
        max(outside, floor),
    )


def _far_rows(features: np.ndarray) -> np.ndarray:
    """Rows that are much farther from their nearest one than others from theirs."""
    n = len(features)
    if n < _FEWEST_JUDGED:
        return np.zeros(0, int)
    squares = _squared_distances(features, features)
    np.fill_diagonal(squares, np.inf)
    nearest = np.log(np.maximum(squares.min(axis=1), _TINY))
    middle = np.median(nearest)
    spread = _NORMAL_MAD * np.median(np.abs(nearest - middle))
    return np.flatnonzero(nearest - middle > _FAR * max(float(spread), _TINY))


def _squared_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distances, float64 `[n, m]`, of rows to other rows."""
    some, others = some.astype(np.float64), others.astype(np.float64)
    squares = np.square(some).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    return np.maximum(squares - 2 * some @ others.T, 0.0)
