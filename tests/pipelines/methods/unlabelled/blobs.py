"""Features of three clusters, and labels that follow them or that do not."""

import numpy as np

CLASSES, WIDTH = 3, 12


def clusters(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features `[count, 12]` in three elongated clusters, and the cluster of each."""
    rng = np.random.default_rng(seed)
    own = np.arange(count) % CLASSES
    centres = np.random.default_rng(9).normal(0, 2, (CLASSES, WIDTH))
    along = np.random.default_rng(10).normal(0, 1, (CLASSES, WIDTH))
    spread = rng.normal(0, 1.8, (count, 1)) * along[own]
    return (centres[own] + spread + rng.normal(0, 0.5, (count, WIDTH))).astype(
        np.float32
    ), own


def parted_by_a_plane(count: int) -> tuple[np.ndarray, np.ndarray]:
    """One cloud `[count, 24]` and two classes in it, which no neighbourhood shows."""
    features = np.random.default_rng(3).normal(size=(count, 24)).astype(np.float32)
    return features, (features[:, 0] > 0).astype(np.int64)
