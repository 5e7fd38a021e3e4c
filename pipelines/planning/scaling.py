"""Temperature and class bias: logits to probabilities that can be believed.

Temperature scaling is https://arxiv.org/abs/1706.04599. With a bias for each class it
is the bias-corrected one of https://arxiv.org/abs/1901.06852.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.model_selection import KFold

# Held-out examples that a bias needs of every class; with fewer it follows the noise.
BIAS_EXAMPLES_PER_CLASS = 10
_HOTTEST = 20.0
_COLDEST = 0.05
_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Scaling:
    """`softmax(logits / temperature + bias)`; `bias` has a number for each class."""

    method: str
    temperature: float
    bias: tuple[float, ...]

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """`[n, classes]` for logits of the same shape."""
        return _log_probabilities(logits, self.temperature, np.array(self.bias))


def unscaled(classes: int) -> Scaling:
    """Temperature 1 and no bias: probabilities as the model gives them."""
    return Scaling("none", 1.0, (0.0,) * classes)


def choose_scaling(
    logits: np.ndarray, labels: np.ndarray, *, method: str
) -> tuple[Scaling, str]:
    """The scaling for held-out logits `[n, classes]`, and the reason in words.

    `auto` compares log losses by cross-validation. A temperature is used if its loss is
    lower than without; a bias, which can change labels, if its loss is lower by more
    than one standard error and every class has 10 examples. `bias` asks for the latter
    without comparison.
    """
    classes = logits.shape[1]
    right = logits.argmax(axis=1) == labels
    if not right.any():
        return unscaled(classes), "Not one held-out example was right."
    if (labels == labels[0]).all():
        return unscaled(classes), "All held-out examples are of one class."
    fewest = int(np.bincount(labels, minlength=classes).min())
    if method == "auto":
        chosen, reason = _compare(logits, labels, fewest)
    elif method == "bias" and fewest < BIAS_EXAMPLES_PER_CLASS:
        chosen, reason = "temperature", _too_few(fewest)
    else:
        chosen, reason = method, f"calibration.method is {method}."
    if right.all():
        reason += " Every held-out example was right."
    if chosen == "none":
        return unscaled(classes), reason
    temperature, bias = _FITS[chosen](logits, labels)
    return Scaling(chosen, temperature, tuple(map(float, bias))), reason


def _compare(logits: np.ndarray, labels: np.ndarray, fewest: int) -> tuple[str, str]:
    """The method that cross-validation chooses, and the losses in words."""
    n = len(labels)
    before = -_log_probabilities(logits, 1.0)[np.arange(n), labels]
    scaled = _cross_validated(fit_temperature, logits, labels)
    reason = (
        f"Cross-validated log loss on {n} held-out examples: {before.mean():.4f} as it"
        f" is, {scaled.mean():.4f} with a temperature"
    )
    chosen, best = "none", before
    if scaled.mean() < before.mean():
        chosen, best = "temperature", scaled
    if fewest < BIAS_EXAMPLES_PER_CLASS:
        return chosen, f"{reason}. {_too_few(fewest)}"
    biased = _cross_validated(fit_bias, logits, labels)
    gain = best - biased
    if gain.mean() > gain.std(ddof=1) / np.sqrt(n):
        chosen = "bias"
    return chosen, f"{reason}, {biased.mean():.4f} with a bias per class too."


def _too_few(fewest: int) -> str:
    return (
        f"A bias per class needs {BIAS_EXAMPLES_PER_CLASS} held-out examples of each;"
        f" one has {fewest}."
    )


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The temperature with the lowest log loss, 0.05 to 20, and a bias of zeros.

    If every example is right, the plain loss falls for ever as the temperature goes to
    0. So a label counts as right to `1 - 1 / (n + 2)`, as `n` successes in `n` trials
    do (Platt 1999); with hundreds of examples this is hardly seen.
    """
    fitted = _fit(logits, labels, with_bias=False)
    return float(1 / fitted[0]), fitted[1:]


def fit_bias(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Temperature and bias per class, of mean 0, with the lowest log loss together."""
    fitted = _fit(logits, labels, with_bias=True)
    return float(1 / fitted[0]), fitted[1:] - fitted[1:].mean()


_FITS = {"temperature": fit_temperature, "bias": fit_bias}


def _fit(logits: np.ndarray, labels: np.ndarray, *, with_bias: bool) -> np.ndarray:
    """The scale (one over temperature) and the biases, `[1 + classes]`; convex."""
    n, classes = logits.shape
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    doubt = 1 / (n + 2)
    targets = np.full((n, classes), doubt / classes)
    targets[np.arange(n), labels] += 1 - doubt

    def loss_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        log_p = log_softmax(parameters[0] * logits + parameters[1:], axis=1)
        slope = (np.exp(log_p) - targets) / n
        gradient = np.concatenate([[(slope * logits).sum()], slope.sum(axis=0)])
        return float(-(targets * log_p).sum() / n), gradient

    limit = None if with_bias else 0.0
    bounds = [(1 / _HOTTEST, 1 / _COLDEST), *[(limit, limit)] * classes]
    start = np.concatenate([[1.0], np.zeros(classes)])
    options = {"ftol": 1e-10, "gtol": 1e-7, "maxiter": 200}
    return minimize(
        loss_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options=options,
    ).x


def _cross_validated(
    fit: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
    logits: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """The log loss of every example, scaled by what was fitted to the other folds."""
    losses = np.empty(len(labels))
    folds = KFold(min(_FOLDS, len(labels)), shuffle=True, random_state=0)
    for others, fold in folds.split(logits):
        log_p = _log_probabilities(logits[fold], *fit(logits[others], labels[others]))
        losses[fold] = -log_p[np.arange(len(fold)), labels[fold]]
    return losses


def _log_probabilities(
    logits: np.ndarray, temperature: float, bias: np.ndarray | float = 0.0
) -> np.ndarray:
    return log_softmax(logits.astype(np.float64) / temperature + bias, axis=1)
