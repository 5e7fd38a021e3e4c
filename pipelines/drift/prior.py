"""The shares of classes in a batch, where only they have changed since training."""

from __future__ import annotations

import numpy as np

_MOST_STEPS = 1000
_ENOUGH = 1e-8
_TINY = 1e-12


def estimated_shares(probabilities: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """The most likely shares of classes `[classes]` in a batch.

    `probabilities` `[n, classes]` are calibrated to the shares `trained`. Right if the
    examples of each class look as before (label shift); by expectation maximization:
    https://doi.org/10.1162/089976602753284446
    """
    shares = trained = np.maximum(trained / trained.sum(), _TINY)
    for _ in range(_MOST_STEPS):
        now = reweighted(probabilities, trained, shares).mean(axis=0)
        is_still = np.abs(now - shares).max() < _ENOUGH
        shares = now
        if is_still:
            break
    return shares


def reweighted(
    probabilities: np.ndarray, trained: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """The probabilities `[n, classes]` if classes have other `shares` than trained."""
    weighted = np.maximum(probabilities, _TINY) * (shares / np.maximum(trained, _TINY))
    return weighted / weighted.sum(axis=1, keepdims=True)
