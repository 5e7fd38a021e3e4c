"""Kept features of random numbers."""

import numpy as np

from pipelines.features.kept_features import KeptSplit


def kept_split(labels, *, views=1, width=6, seed=0, start=0):
    """A split of random features with the contents `start`, `start + 1`, ..."""
    rng = np.random.default_rng(seed)
    labels, numbers = np.array(labels), np.arange(start, start + len(labels))
    features = rng.normal(size=(views * len(labels), width)).astype(np.float32)
    texts = [f"{number:064x}" for number in numbers]
    return KeptSplit(
        features,
        labels,
        np.arange(len(labels)),
        np.array(texts, "S64"),
        np.array([f"{number}.png" for number in numbers], str),
        np.arange(len(labels)),
    )
