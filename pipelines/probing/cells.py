"""Detectors that look at places: a Gaussian for every cell of a grid on images.

PaDiM (https://arxiv.org/abs/2011.08785): each place has its own idea of what is normal
there. Few normal examples do not show a covariance for each, so that it is drawn
towards the one that all cells share.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipelines.planning.detectors import PATCHCORE
from pipelines.probing.detector import Detector, fit_detector, of_kind

OF_CELLS = ("padim", "sum", PATCHCORE)
# Shares of the covariance of a cell: of all cells together, and of a sphere.
_SHARED, _SPHERE = 0.3, 0.1
_TINY = 1e-6
# Examples whose scores say how far they spread: the cost grows with their square.
_MOST_SPREAD = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class CellGaussians:
    """What is normal in each cell: `mean` `[cells, channels]`, and `whitening`.

    `whitening` `[cells, channels, channels]` makes what normal examples differ by a
    sphere with the radius 1: a vector times it has the length of its distance.
    """

    mean: np.ndarray
    whitening: np.ndarray

    def distances(self, cells: np.ndarray) -> np.ndarray:
        """Mahalanobis distances, float64 `[n, cells]`, of `[n, cells * channels]`."""
        away = cells.reshape(-1, *self.mean.shape).astype(np.float64) - self.mean
        by_cell = np.matmul(away.swapaxes(0, 1), self.whitening.astype(np.float64))
        return np.sqrt(np.square(by_cell).sum(axis=2)).T


@dataclasses.dataclass(frozen=True, eq=False)
class MapDetector(Detector):
    """A detector with the cells of a grid beside the averages of blocks.

    `padim` scores by the strangest cell alone, and `sum` adds the score of `dfm`, each
    over the standard deviation that it has for new normal examples: `units`.
    """

    cells: CellGaussians | None = None
    units: tuple[float, float] = (1.0, 1.0)

    def scores_of_cells(
        self, parts: Sequence[np.ndarray], cells: np.ndarray
    ) -> np.ndarray:
        """How strange examples are, float64 `[n]`; `cells` `[n, cells * channels]`."""
        if self.cells is None:
            raise ValueError("The Gaussians of the cells are fitted first.")
        strangest = self.cells.distances(cells).max(axis=1)
        if self.method == "padim":
            return strangest
        whole = dataclasses.replace(self, method="dfm").scores(parts)
        return whole / self.units[0] + strangest / self.units[1]


def fit_cells(cells: np.ndarray, *, channels: int) -> CellGaussians:
    """The Gaussians of normal examples `[n, cells * channels]`."""
    rows = cells.reshape(len(cells), -1, channels).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64)
    away = rows - mean
    scale = away.std(axis=(0, 1)) + _TINY
    away = (away / scale).swapaxes(0, 1)
    own = np.matmul(away.swapaxes(1, 2), away) / max(len(rows), 1)
    shared = own.mean(axis=0)
    sphere = max(float(np.trace(shared)) / channels, _TINY) * np.eye(channels)
    mixed = (1 - _SHARED - _SPHERE) * own + _SHARED * shared + _SPHERE * sphere
    lower = np.linalg.cholesky(mixed)
    whitening = np.linalg.inv(lower).swapaxes(1, 2) / scale[:, None]
    return CellGaussians(mean.astype(np.float32), whitening.astype(np.float32))


def with_cells(
    detector: Detector,
    parts: Sequence[np.ndarray],
    cells: np.ndarray,
    channels: int,
) -> MapDetector:
    """The detector with Gaussians of the cells of the same normal examples.

    `parts` and `cells` have a row for each example that the detector was fitted to, or
    left out.
    """
    kept = np.setdiff1d(np.arange(len(cells)), detector.left_out)
    made = of_kind(
        MapDetector, detector, cells=fit_cells(cells[kept], channels=channels)
    )
    if made.method != "sum":
        return made
    some = kept[np.linspace(0, len(kept) - 1, min(len(kept), _MOST_SPREAD)).astype(int)]
    units = _spreads([part[some] for part in parts], cells[some], channels=channels)
    return dataclasses.replace(made, units=units)


def _spreads(
    parts: Sequence[np.ndarray], cells: np.ndarray, *, channels: int
) -> tuple[float, float]:
    """The standard deviations of both scores of examples that a fit left out."""
    if len(cells) < 2:
        return 1.0, 1.0
    whole, strangest = [], []
    for fitted in (slice(0, None, 2), slice(1, None, 2)):
        judged = slice(1 - (fitted.start or 0), None, 2)
        detector = fit_detector([part[fitted] for part in parts])
        whole.append(detector.scores([part[judged] for part in parts]))
        gaussians = fit_cells(cells[fitted], channels=channels)
        strangest.append(gaussians.distances(cells[judged]).max(axis=1))
    both = [
        float(np.concatenate([a - a.mean() for a in s]).std())
        for s in (whole, strangest)
    ]
    return both[0] or 1.0, both[1] or 1.0
