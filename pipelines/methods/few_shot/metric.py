"""A metric that is learned on other classes: distances in units of their spread.

The closed form of a Mahalanobis metric: directions in which examples of one base class
differ count less. Episodes on base classes say how far to go; 0 is the centroid.
"""

from __future__ import annotations

import numpy as np

from pipelines.methods.few_shot.episodes import Setting, accuracies
from pipelines.methods.few_shot.heads import centroid, class_means

# Shares of the spread that count the same in every direction; 1 is the centroid.
_SHARES = (1.0, 0.5, 0.2, 0.05)
_EPISODES = 100


def learned_metric(
    rows: np.ndarray, labels: np.ndarray, setting: Setting
) -> np.ndarray:
    """The matrix `[width, width]` that rows are multiplied by before the centroid.

    Each half of the base classes judges the metric that the other half gives. One that
    is not better by a standard error is refused, for the next simpler one.
    """
    order = np.random.default_rng(setting.seed).permutation(np.unique(labels))
    halves = np.array_split(order, 2)
    scores: dict[float, list[np.ndarray]] = {share: [] for share in _SHARES}
    for judged, fitted in (halves, halves[::-1]):
        is_fitted, is_judged = np.isin(labels, fitted), np.isin(labels, judged)
        some = setting.smaller(labels[is_judged], episodes=_EPISODES)
        if some is None:
            return np.eye(rows.shape[1])
        spectrum = _spectrum(rows[is_fitted], labels[is_fitted])
        for share in _SHARES:
            matrix = _metric(spectrum, share)
            scores[share].append(
                accuracies(
                    stretched(rows[is_judged], matrix),
                    labels[is_judged],
                    some,
                    [centroid],
                )[0]
            )
    share = _safest(scores)
    if share == 1.0:
        return np.eye(rows.shape[1])
    return _metric(_spectrum(rows, labels), share)


def stretched(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Rows `[n, width]` in the metric, again of length 1."""
    moved = rows @ matrix
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)


def _safest(scores: dict[float, list[np.ndarray]]) -> float:
    """The share of the best metric that beats the centroid by a standard error."""
    plain, best = np.concatenate(scores[1.0]), 1.0
    most = 0.0
    for share, parts in scores.items():
        gain = np.concatenate(parts) - plain
        if gain.mean() > max(most, gain.std() / np.sqrt(len(gain))):
            best, most = share, gain.mean()
    return best


def _spectrum(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the covariance within classes."""
    _, codes = np.unique(labels, return_inverse=True)
    residuals = rows - class_means(rows, codes)[codes]
    return np.linalg.eigh(residuals.T @ residuals / len(rows))


def _metric(spectrum: tuple[np.ndarray, np.ndarray], share: float) -> np.ndarray:
    """The square root of the inverse of the shrunk covariance."""
    values, vectors = spectrum
    if share == 1.0:
        return np.eye(len(values))
    spread = values.mean()
    stretch = np.sqrt(spread / ((1 - share) * np.maximum(values, 0) + share * spread))
    return (vectors * stretch) @ vectors.T
