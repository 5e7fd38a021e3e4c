"""The linear probe: the best linear classifier on frozen features."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

# Inverse strengths of the L2 penalty, from strong to weak.
_CANDIDATES = (0.01, 0.1, 1.0)
# L-BFGS is close to its optimum long before; probes are stopped, not converged.
_MAX_STEPS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """A classifier for raw features: `features @ kernel + bias` are logits."""

    kernel: np.ndarray
    bias: np.ndarray
    validation_accuracy: float


def linear_probe(
    train: np.ndarray,
    train_labels: np.ndarray,
    validation: np.ndarray,
    validation_labels: np.ndarray,
) -> Probe:
    """The logistic regression whose penalty does best on validation.

    Features are `[examples, width]`, labels `0..classes-1`, each present in `train`.
    Centring and scaling are folded into kernel and bias.
    """
    probes = (
        _fit(train, train_labels, validation, validation_labels, penalty)
        for penalty in _CANDIDATES
    )
    return max(probes, key=lambda probe: probe.validation_accuracy)


def _fit(
    train: np.ndarray,
    train_labels: np.ndarray,
    validation: np.ndarray,
    validation_labels: np.ndarray,
    inverse_penalty: float,
) -> Probe:
    # One scale for all features: a scale for each would blow up the nearly constant
    # ones, and fine-tuning would start from a kernel with huge entries.
    mean = train.mean(axis=0)
    scale = float(train.std()) or 1.0
    regression = LogisticRegression(C=inverse_penalty, max_iter=_MAX_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit((train - mean) / scale, train_labels)
    kernel = regression.coef_.T / scale
    bias = regression.intercept_ - mean @ kernel
    if kernel.shape[1] == 1:
        # With two classes there is one margin, for the second class.
        kernel = np.concatenate([-kernel / 2, kernel / 2], axis=1)
        bias = np.concatenate([-bias / 2, bias / 2])
    predicted = (validation @ kernel + bias).argmax(axis=1)
    return Probe(
        kernel=kernel.astype(np.float32),
        bias=bias.astype(np.float32),
        validation_accuracy=float((predicted == validation_labels).mean()),
    )
