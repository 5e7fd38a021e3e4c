"""Linear heads for classes with few examples, solved in closed form or in moments.

Rows have length 1 (see `vectors.py`), and fewer of them than features are the usual
case: what is solved has the size of the rows, not of the features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from scipy import linalg
from sklearn.linear_model import LogisticRegression

from pipelines.probing import ridge

# Of the path of penalties in `probing/ridge.py`, relative to the squared norm of rows:
# with one example of each class nothing can be left out to choose by.
_USUAL_PENALTY = 0.3
_INVERSE_PENALTY = 10.0
_MOST_STEPS = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
    """A linear classifier: `rows @ kernel + bias` are scores, float64 `[n, classes]`.

    `kernel` is `[width, classes]` and `bias` `[classes]`; the largest score wins.
    """

    kernel: np.ndarray
    bias: np.ndarray

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The scores of rows `[n, width]`."""
        return rows @ self.kernel + self.bias

    def sharpened(self, factor: float) -> Linear:
        """The same answers with scores times a factor."""
        return Linear(self.kernel * factor, self.bias * factor)


def class_means(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean row of each class, `[classes, width]`; every class has a row."""
    sums = np.zeros((int(labels.max()) + 1, rows.shape[1]))
    np.add.at(sums, labels, rows)
    return sums / np.bincount(labels)[:, None]


def centroid(rows: np.ndarray, labels: np.ndarray) -> Linear:
    """The nearest class mean, SimpleShot (https://arxiv.org/abs/1911.04623)."""
    means = class_means(rows, labels)
    return Linear(means.T, -np.square(means).sum(axis=1) / 2)


def lda(rows: np.ndarray, labels: np.ndarray) -> Linear:
    """Linear discriminant analysis with one covariance, shrunk by Ledoit and Wolf.

    All classes count the same, whatever their numbers of examples; with one example of
    each, this is the centroid.
    """
    means = class_means(rows, labels)
    residuals = rows - means[labels]
    if not np.square(residuals).sum() > np.finfo(np.float32).eps * len(rows):
        return centroid(rows, labels)
    share = shrinkage(residuals)
    spread = np.square(residuals).sum() / residuals.size
    kernel = whitened(means, residuals, share=share, spread=spread)
    return Linear(kernel.T, -(kernel * means).sum(axis=1) / 2)


def shrinkage(residuals: np.ndarray) -> float:
    """The share of Ledoit and Wolf for centred rows `[n, width]`, 0 to 1.

    As scikit-learn's `ledoit_wolf_shrinkage`, from the products of rows: with a few
    rows of thousands of features that takes a hundredth of the time.
    """
    n, width = residuals.shape
    products = residuals @ residuals.T
    norms = np.diag(products)
    mean = norms.sum() / n / width
    squared = np.square(products).sum() / n**2
    noise = (np.square(norms).sum() / n - squared) / (n * width)
    distance = (squared - width * mean**2) / width
    return float(min(noise, distance) / distance) if noise > 0 < distance else 0.0


def whitened(
    vectors: np.ndarray, residuals: np.ndarray, *, share: float, spread: float
) -> np.ndarray:
    """Vectors `[n, width]` times the inverse of a shrunk covariance, times `spread`.

    The covariance is `(1 - share) R'R / rows + share * spread * I`. By Woodbury's
    identity only a matrix of the size of the smaller side of `residuals` is solved.
    """
    floor = max(share, np.finfo(np.float32).eps) * spread
    weight = (1 - share) / len(residuals)
    if len(residuals) > residuals.shape[1]:
        covariance = weight * (residuals.T @ residuals)
        covariance.flat[:: len(covariance) + 1] += floor
        return spread * linalg.solve(covariance, vectors.T, assume_a="pos").T
    inner = weight * (residuals @ residuals.T)
    inner.flat[:: len(inner) + 1] += floor
    seen = linalg.solve(inner, residuals @ vectors.T, assume_a="pos")
    return (vectors - weight * (seen.T @ residuals)) * (spread / floor)


def ridge_head(rows: np.ndarray, labels: np.ndarray) -> Linear:
    """Ridge regression on one-hot labels, its penalty chosen by leave-one-out."""
    if np.bincount(labels).min() > 1:
        fitted = ridge.fit(rows, labels)
        kernel, bias = fitted.kernel, fitted.bias
    else:
        kernel, bias = ridge.solve(rows, labels, penalty=_USUAL_PENALTY)
    return Linear(kernel.astype(np.float64), bias.astype(np.float64))


def logistic(rows: np.ndarray, labels: np.ndarray) -> Linear:
    """Logistic regression of scikit-learn, in the space that the rows span."""
    mean = rows.mean(axis=0)
    _, sizes, directions = np.linalg.svd(rows - mean, full_matrices=False)
    directions = directions[sizes > sizes[0] * 1e-6]
    fitted = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MOST_STEPS)
    fitted.fit((rows - mean) @ directions.T, labels)
    kernel, bias = fitted.coef_, fitted.intercept_
    if len(kernel) == 1:  # scores of two classes are one number
        kernel, bias = (np.concatenate([-part, part]) / 2 for part in (kernel, bias))
    kernel = directions.T @ kernel.T
    return Linear(kernel, bias - mean @ kernel)


HEADS: Mapping[str, Callable[[np.ndarray, np.ndarray], Linear]] = {
    "centroid": centroid,
    "lda": lda,
    "ridge": ridge_head,
    "logistic": logistic,
}
