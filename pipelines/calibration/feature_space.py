"""The distance of an example from everything that the classifier was trained on."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from pipelines.calibration.portions import portions

# Directions that are kept, and the most numbers for them: 4 MB, however wide.
_MOST_DIRECTIONS = 32
_MOST_NUMBERS = 2**20
# The most numbers that they are fitted to, 256 MiB in float64, and at least these rows.
_MOST_FITTED_NUMBERS = 2**25
_FEWEST_FITTED = 1000
# Relative to the largest: below it, rounding of features would dominate a distance.
_SMALLEST_VARIANCE = 1e-4
SMALLEST_LENGTH = 1e-6
# Of vectors of length 1, along the main direction. Other directions have at least a
# hundredth of it, and float32 rounds networks to a millionth: if all examples point
# the same way, as early in training, a distance would consist of rounding.
_LEAST_SPREAD = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class FeatureSpace:
    """The classes as points among the main directions of the features.

    The distance to a class is the Mahalanobis distance
    (https://arxiv.org/abs/1807.03888) with one covariance for all classes: shrunk
    (Ledoit-Wolf) within up to 32 main directions, and one variance for all others.
    Features are scaled to length 1 before (https://arxiv.org/abs/2505.18032): noise and
    blank images have short features, which lie close to everything. `centre` is
    `[width]`, `axes` `[width, directions]`, `whitening` `[directions, directions]`,
    `means` `[classes, directions]` after whitening; `outside_weight` is one over the
    variance outside.
    """

    centre: np.ndarray
    axes: np.ndarray
    whitening: np.ndarray
    means: np.ndarray
    outside_weight: float

    @property
    def size_bytes(self) -> int:
        """The bytes it adds to a signature: 174 kB for width 1,280 and 10 classes."""
        arrays = (self.centre, self.axes, self.whitening, self.means)
        return sum(array.nbytes for array in arrays)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """The distance to the nearest class, `[n]`, for features `[n, width]`."""
        most = max(len(self.centre), len(self.means))
        distances = np.empty(len(features))
        for rows in portions(len(features), most):
            distances[rows] = self._distances(features[rows])
        return distances

    def _distances(self, features: np.ndarray) -> np.ndarray:
        from_centre = unit_length(features) - self.centre
        inside = from_centre @ self.axes
        outside = from_centre - inside @ self.axes.T
        nearest = cdist(inside @ self.whitening, self.means, "sqeuclidean").min(axis=1)
        return np.sqrt(nearest + self.outside_weight * (outside**2).sum(axis=1))


def fit_feature_space(features: np.ndarray, labels: np.ndarray) -> FeatureSpace | None:
    """The space of training features `[n, width]` with labels `[n]`.

    None if they are not finite, nearly constant, or fewer than three.
    """
    n, width = features.shape
    if n < 3 or not np.isfinite(features).all():
        return None
    some = unit_length(_fitted_rows(features))
    if not (np.ptp(some, axis=0) > 0).any():
        return None
    directions = min(
        _MOST_DIRECTIONS, max(1, _MOST_NUMBERS // width), len(some) - 2, width
    )
    pca = PCA(directions, random_state=0).fit(some)
    if pca.explained_variance_.max() < _LEAST_SPREAD**2:
        return None
    inside = np.concatenate(
        [pca.transform(unit_length(features[rows])) for rows in portions(n, width)]
    )
    means, spread = _class_means(inside, labels)
    variances, vectors = np.linalg.eigh(ledoit_wolf(spread, assume_centered=True)[0])
    floor = max(variances.max(), pca.explained_variance_.max()) * _SMALLEST_VARIANCE
    whitening = vectors / np.sqrt(np.maximum(variances, floor))
    # With all directions kept, only rounding is left outside, which must not count.
    has_outside = directions < width and pca.noise_variance_ > floor
    return FeatureSpace(
        centre=pca.mean_.astype(np.float32),
        axes=pca.components_.T.astype(np.float32),
        whitening=whitening.astype(np.float32),
        means=(means @ whitening).astype(np.float32),
        outside_weight=float(1 / pca.noise_variance_) if has_outside else 0.0,
    )


def _fitted_rows(features: np.ndarray) -> np.ndarray:
    """The features that the main directions are fitted to: all, or a sample of many."""
    n, width = features.shape
    most = max(_FEWEST_FITTED, _MOST_FITTED_NUMBERS // width)
    if n <= most:
        return features
    return features[np.sort(np.random.default_rng(0).permutation(n)[:most])]


def unit_length(features: np.ndarray) -> np.ndarray:
    """The same directions, float64, with length 1; zeros stay as they are."""
    features = features.astype(np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, SMALLEST_LENGTH)


def _class_means(inside: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """The mean of every class that occurs, and every example minus its class's mean."""
    present, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.zeros((len(present), inside.shape[1]))
    np.add.at(means, which, inside)
    means /= sizes[:, None]
    if len(present) == len(inside):
        # With one example of each class, the only spread is between classes.
        return means, inside
    return means, inside - means[which]
