"""The main directions of features, for what measures distances between examples."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

# Of more, the last are noise, and each costs time.
_DIRECTIONS = 64
_SMALLEST = 1e-6


def main_directions(features: np.ndarray, *, seed: int) -> np.ndarray:
    """Features `[n, width]`, standardized and of length 1, along 64 directions.

    Fewer where there are fewer examples or features; float32.
    """
    rows = features.astype(np.float32)
    rows = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + _SMALLEST)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SMALLEST)
    count = min(_DIRECTIONS, *rows.shape)
    return PCA(count, random_state=seed).fit_transform(rows).astype(np.float32)
