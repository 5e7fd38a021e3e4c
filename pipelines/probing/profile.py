"""A detector by the matrix profile: how far a window is from the nearest normal one.

Windows are compared by shape alone: each has mean 0 and deviation 1
(https://doi.org/10.1109/ICDM.2016.0179, the join of a series with normal ones).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.probing.detector import Detector, of_kind

# A window has a quarter of the steps of a series, between bounds as of `windows`.
_SHARE_OF_STEPS, _LEAST_STEPS, _MOST_STEPS, _MOST_NUMBERS = 4, 4, 128, 512
# Normal windows that are kept: each costs an answer.
_MOST_WINDOWS = 1_000
# The least deviation of a window, in those of its channel: less is flat, not a shape.
_FLAT = 1e-3
# The weight of what is usual at a step, beside what is usual anywhere.
_OWN_STEP = 0.5
_TINY = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """Normal windows of `steps` steps, `[m, numbers]`, as shapes.

    A window whose deviation in a channel is below `flat` `[channels]` has no shape
    there. `usual` `[length]` is the usual distance at each step of a series.
    """

    bank: np.ndarray
    flat: np.ndarray
    usual: np.ndarray
    steps: int

    def distances(self, series: np.ndarray) -> np.ndarray:
        """To the nearest normal window, float64 `[n, windows]`, over `2 ** .5`.

        1 is what windows have that have nothing to do with each other. `series` are
        `[n, length, channels]` without missing values.
        """
        return np.stack([self._of_one(one) for one in series])

    def by_step(self, series: np.ndarray) -> np.ndarray:
        """How strange each step is, float64 `[n, length]`; about 1 where it is usual.

        The mean over all windows that have the step.
        """
        return over_steps(self.distances(series), self.steps) / self.usual

    def _of_one(self, series: np.ndarray) -> np.ndarray:
        shapes = shapes_of(series, self.steps, self.flat)
        return _nearest(shapes, self.bank) / _unrelated(self.bank)


@dataclasses.dataclass(frozen=True, eq=False)
class ProfileDetector(Detector):
    """A detector with normal windows of series beside the averages of blocks."""

    profile: Profile | None = None

    def scores_of_series(self, series: np.ndarray) -> np.ndarray:
        """How strange series are, float64 `[n]`: by their strangest step."""
        if self.profile is None:
            raise ValueError("The normal windows are chosen first.")
        return self.profile.by_step(series).max(axis=1)


def shapes_of(series: np.ndarray, steps: int, flat: np.ndarray) -> np.ndarray:
    """Windows of a series `[length, channels]` as shapes, `[windows, numbers]`."""
    values = series.astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(values, steps, axis=0)
    away = windows - windows.mean(axis=2, keepdims=True)
    deviation = np.sqrt(np.square(away).mean(axis=2, keepdims=True))
    is_flat = deviation < flat[None, :, None]
    shapes = np.where(is_flat, 0.0, away / np.where(is_flat, 1.0, deviation))
    return shapes.transpose(0, 2, 1).reshape(len(windows), -1)


def over_steps(by_window: np.ndarray, steps: int) -> np.ndarray:
    """Values `[n, windows]` as the mean over all windows with a step, `[n, length]`."""
    windows = by_window.shape[1]
    length = windows + steps - 1
    total, count = np.zeros((len(by_window), length)), np.zeros(length)
    for j in range(steps):
        total[:, j : j + windows] += by_window
        count[j : j + windows] += 1
    return total / count


def fit_profile(series: np.ndarray) -> Profile:
    """The profile of normal series `[n, length, channels]` without missing values."""
    n, length, channels = series.shape
    most = min(_MOST_STEPS, _MOST_NUMBERS // channels)
    steps = max(_LEAST_STEPS, min(length // _SHARE_OF_STEPS, most))
    deviation = series.astype(np.float64).std(axis=(0, 1))
    size = np.maximum(np.abs(series.mean(axis=(0, 1))), 1.0)
    flat = np.maximum(_FLAT * deviation, 1e-6 * size)
    per_series = length - steps + 1
    count = min(n * per_series, _MOST_WINDOWS)
    rows = np.linspace(0, n * per_series - 1, count).astype(int)
    owners, places = rows // per_series, rows % per_series
    parts = [shapes_of(one, steps, flat) for one in series]
    bank = np.stack([parts[owner][place] for owner, place in zip(owners, places)])
    known = []
    for i, shapes in enumerate(parts):
        # Of others alone; where there is one series, of windows that share no step.
        own = owners == i
        if n == 1:
            own = np.abs(np.arange(per_series)[:, None] - places) < steps
        known.append(_nearest(shapes, bank, own) / _unrelated(bank))
    wrong = over_steps(np.array(known), steps).mean(axis=0)
    usual = _OWN_STEP * wrong + (1 - _OWN_STEP) * wrong.mean() + _TINY
    return Profile(bank, flat, usual, steps)


def with_profile(detector: Detector, series: np.ndarray) -> ProfileDetector:
    """The detector with the windows of the same normal examples.

    `series` has a row for each example that it was fitted to, or left out.
    """
    kept = np.setdiff1d(np.arange(len(series)), detector.left_out)
    return of_kind(ProfileDetector, detector, profile=fit_profile(series[kept]))


def _nearest(
    shapes: np.ndarray, bank: np.ndarray, unseen: np.ndarray | None = None
) -> np.ndarray:
    """The distance of each shape to the nearest in a bank that is not `unseen`."""
    squares = np.square(bank).sum(axis=1) - 2 * shapes @ bank.T
    if unseen is not None and not np.all(unseen):
        squares = np.where(unseen, np.inf, squares)
    nearest = np.square(shapes).sum(axis=1) + squares.min(axis=1)
    # A window that shares a step with all others says nothing on what is usual.
    return np.sqrt(np.where(np.isfinite(nearest), np.maximum(nearest, 0.0), 0.0))


def _unrelated(bank: np.ndarray) -> float:
    return float(np.sqrt(2 * bank.shape[1]))
