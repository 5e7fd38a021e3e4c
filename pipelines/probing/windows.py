"""A detector that looks at steps of a series: main directions of short windows.

What normal windows vary in is left out, wherever they lie (PCA on windows, as Sub-PCA
in https://openreview.net/forum?id=R6kJtWsTGy); what remains of a window is spread over
its steps. So the detector says when a series is strange, and not only that it is.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.probing.detector import Detector, of_kind

# A window has this share of the steps of a series, between two bounds, and not more
# numbers than this: covariances are kept small.
_SHARE_OF_STEPS, _LEAST_STEPS, _MOST_STEPS, _MOST_NUMBERS = 16, 4, 64, 512
# The lengths of a series that have windows, and whose steps an answer can hold.
SHORTEST, LONGEST = 8, 20_000
# The share of the variance that the main directions have, and the most of them.
_SHARE, _MOST_DIRECTIONS = 0.995, 64
_MOST_WINDOWS = 10_000
# The weight of what is usual at a step, beside what is usual anywhere.
_OWN_STEP = 0.5
_TINY = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class WindowModel:
    """What is normal in windows of `steps` steps.

    `mean` and `scale` `[channels]` standardize a series. `center` `[numbers]` and
    `axes` `[numbers, directions]` are of standardized windows, and `usual` `[length]`
    is what usually remains at each step of a series, squared.
    """

    mean: np.ndarray
    scale: np.ndarray
    center: np.ndarray
    axes: np.ndarray
    usual: np.ndarray
    steps: int

    def by_step(self, series: np.ndarray) -> np.ndarray:
        """How strange each step is, float64 `[n, length]`; about 1 where it is usual.

        `series` are `[n, length, channels]` without missing values.
        """
        x = (series.astype(np.float64) - self.mean) / self.scale
        remains = _remains(x, self.steps, self.center, self.axes)
        return np.sqrt(remains / self.usual)


@dataclasses.dataclass(frozen=True, eq=False)
class WindowDetector(Detector):
    """A detector with the windows of series beside the averages of blocks."""

    windows: WindowModel | None = None

    def scores_of_series(self, series: np.ndarray) -> np.ndarray:
        """How strange series are, float64 `[n]`: strange steps count most."""
        if self.windows is None:
            raise ValueError("The model of windows is fitted first.")
        squares = np.square(self.windows.by_step(series))
        return np.sqrt(np.sqrt(np.square(squares).mean(axis=1)))


def has_windows(length: int) -> bool:
    """True if series of this length have windows that a detector can look at."""
    return SHORTEST <= length <= LONGEST


def fit_windows(series: np.ndarray) -> WindowModel:
    """The model of normal series `[n, length, channels]` without missing values."""
    _, length, channels = series.shape
    steps = min(length // _SHARE_OF_STEPS, _MOST_STEPS, _MOST_NUMBERS // channels)
    steps = max(_LEAST_STEPS, steps)
    x = series.astype(np.float64)
    mean = x.mean(axis=(0, 1))
    scale = np.maximum(x.std(axis=(0, 1)), 1e-6 * np.maximum(np.abs(mean), 1.0))
    x = (x - mean) / scale
    windows = np.lib.stride_tricks.sliding_window_view(x, steps, axis=1)
    per_series = windows.shape[1]
    count = min(len(x) * per_series, _MOST_WINDOWS)
    rows = np.linspace(0, len(x) * per_series - 1, count).astype(int)
    some = windows[rows // per_series, rows % per_series]
    some = some.transpose(0, 2, 1).reshape(count, -1)
    center = some.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(some.T, bias=True))
    variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
    shares = np.cumsum(variances) / max(float(variances.sum()), _TINY)
    kept = min(int(np.searchsorted(shares, _SHARE)) + 1, _MOST_DIRECTIONS)
    axes = axes[:, : min(kept, len(axes) - 1)]
    remains = _remains(x, steps, center, axes).mean(axis=0)
    usual = _OWN_STEP * remains + (1 - _OWN_STEP) * remains.mean() + _TINY
    return WindowModel(mean, scale, center, axes, usual, steps)


def with_windows(detector: Detector, series: np.ndarray) -> WindowDetector:
    """The detector with the windows of the same normal examples.

    `series` has a row for each example that it was fitted to, or left out.
    """
    kept = np.setdiff1d(np.arange(len(series)), detector.left_out)
    return of_kind(WindowDetector, detector, windows=fit_windows(series[kept]))


def _remains(
    x: np.ndarray, steps: int, center: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """Squares of what remains of windows, the mean over all that have a step."""
    n, length, channels = x.shape
    total, count = np.zeros((n, length)), np.zeros(length)
    windows = length - steps + 1
    parts = [x[:, j : j + windows] for j in range(steps)]
    whole = np.concatenate(parts, axis=2) - center
    squares = np.square(whole - (whole @ axes) @ axes.T)
    for j in range(steps):
        own = squares[:, :, j * channels : (j + 1) * channels]
        total[:, j : j + windows] += own.mean(axis=2)
        count[j : j + windows] += 1
    return total / count
