"""The size of the error that is expected of an example, from its features."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Spread:
    """A linear estimate of absolute errors, `[n, targets]`, and never below a floor.

    Errors are those of standardised targets. Features are standardised by `mean` and
    `scale`, float32 `[width]`; `kernel` is `[width, targets]`, `bias` and `floor` are
    `[targets]`.
    """

    mean: np.ndarray
    scale: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray
    floor: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The expected errors for features `[n, width]`, float64 `[n, targets]`."""
        inputs = (features.astype(np.float32) - self.mean) / self.scale
        expected = (inputs @ self.kernel + self.bias).astype(np.float64)
        return np.maximum(expected, self.floor.astype(np.float64))

    @property
    def size_bytes(self) -> int:
        """The bytes that it takes in the graph."""
        return sum(getattr(self, row.name).nbytes for row in dataclasses.fields(self))
