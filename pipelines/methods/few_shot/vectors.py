"""Features as vectors of length 1 around the mean of base data (CL2N, SimpleShot)."""

from __future__ import annotations

import dataclasses

import numpy as np

# A feature that hardly varies in the base data says nothing, and must not be blown up.
_LEAST_SHARE = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class Normalization:
    """The mean and scale of features in base data, float32 `[width]` each."""

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Rows of length 1, float64 `[n, width]`."""
        rows = (features.astype(np.float64) - self.mean) / self.scale
        # As Keras' UnitNormalization, in the exported graph, treats a row of zeros.
        return rows / np.sqrt(
            np.maximum(np.square(rows).sum(axis=1, keepdims=True), 1e-12)
        )


def normalization(features: np.ndarray, *, scaled: bool) -> Normalization:
    """The normalization by these features `[n, width]`.

    The scale, the deviation of each feature, makes features of different blocks
    comparable; it needs more examples than the few of a task, and is 1 without it.
    """
    values = features.astype(np.float64)
    scale = np.ones(values.shape[1])
    if scaled:
        scale = values.std(axis=0)
        scale = np.maximum(scale, _LEAST_SHARE * (scale.mean() or 1.0))
    return Normalization(
        values.mean(axis=0).astype(np.float32), scale.astype(np.float32)
    )
