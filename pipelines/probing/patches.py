"""Detectors that compare patches of images with those of normal ones, at any place.

PatchCore (https://arxiv.org/abs/2106.08265), smaller: channels of middle blocks, drawn
at random, averaged over neighbouring cells, and a few normal patches that cover all.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.probing.detector import Detector, of_kind

# The share of normal patches that is kept, between bounds: each costs an answer.
_SHARE, _FEWEST, _MOST = 0.05, 50, 1000
# Patches among which these are chosen: the cost grows with both numbers.
_MOST_COMPARED = 20_000
_TINY = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class PatchBank:
    """Normal patches `[m, channels]`, each channel over its `scale` `[channels]`.

    `cells` is the number of patches that an image has.
    """

    patches: np.ndarray
    scale: np.ndarray
    cells: int

    def distances(self, cells: np.ndarray) -> np.ndarray:
        """To the nearest normal patch, float64 `[n, cells]`.

        `cells` are `[n, cells * channels]`, a square grid row by row.
        """
        patches = pooled(cells, channels=len(self.scale)) / self.scale
        flat, bank = patches.reshape(-1, patches.shape[-1]), self.patches
        own = np.square(flat).sum(axis=1)
        # Not all at once: a few hundred images would take gigabytes.
        nearest = [
            (np.square(bank).sum(axis=1) - 2 * part @ bank.T).min(axis=1)
            for part in np.array_split(flat, max(1, len(flat) // 4096))
        ]
        squares = np.maximum(own + np.concatenate(nearest), 0.0)
        return np.sqrt(squares).reshape(len(cells), -1)


@dataclasses.dataclass(frozen=True, eq=False)
class PatchDetector(Detector):
    """A detector with a bank of normal patches beside the averages of blocks."""

    bank: PatchBank | None = None

    def scores_of_cells(self, cells: np.ndarray) -> np.ndarray:
        """How strange examples are, float64 `[n]`: by their strangest patch."""
        if self.bank is None:
            raise ValueError("The patches are chosen first.")
        return self.bank.distances(cells).max(axis=1)


def pooled(cells: np.ndarray, *, channels: int) -> np.ndarray:
    """Cells `[n, side**2 * channels]` averaged with their neighbours, float64.

    The result is `[n, side**2, channels]`; a cell at an edge has fewer neighbours.
    """
    side = round(np.sqrt(cells.shape[1] // channels))
    maps = cells.reshape(-1, side, side, channels).astype(np.float64)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    inside = np.pad(np.ones((side, side)), 1)
    shifts = [(i, j) for i in range(3) for j in range(3)]
    total = sum(padded[:, i : i + side, j : j + side] for i, j in shifts)
    count = sum(inside[i : i + side, j : j + side] for i, j in shifts)
    averages = np.asarray(total) / np.asarray(count)[:, :, None]
    return averages.reshape(len(cells), -1, channels)


def with_patches(
    detector: Detector, cells: np.ndarray, channels: int, *, seed: int = 0
) -> PatchDetector:
    """The detector with patches of the same normal examples.

    `cells` has a row for each example that it was fitted to, or left out.
    """
    kept = np.setdiff1d(np.arange(len(cells)), detector.left_out)
    patches = pooled(cells[kept], channels=channels).reshape(-1, channels)
    rng = np.random.default_rng(seed)
    if len(patches) > _MOST_COMPARED:
        patches = patches[rng.permutation(len(patches))[:_MOST_COMPARED]]
    scale = patches.std(axis=0) + _TINY
    bank = PatchBank(_covering(patches / scale), scale, cells.shape[1] // channels)
    return of_kind(PatchDetector, detector, bank=bank)


def _covering(patches: np.ndarray) -> np.ndarray:
    """A few patches, each the farthest from all that were chosen before it."""
    count = int(np.clip(_SHARE * len(patches), _FEWEST, _MOST))
    count = min(count, len(patches))
    center = np.square(patches - patches.mean(axis=0)).sum(axis=1)
    chosen = [int(center.argmin())]
    nearest = np.full(len(patches), np.inf)
    for _ in range(count - 1):
        away = np.square(patches - patches[chosen[-1]]).sum(axis=1)
        nearest = np.minimum(nearest, away)
        chosen.append(int(nearest.argmax()))
    return patches[chosen]
