"""Temperature and class bias: from logits to reliable probabilities.

Temperature scaling is https://arxiv.org/abs/1706.04599. With a bias for each class it
is the bias-corrected one of https://arxiv.org/abs/1901.06852.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.model_selection import KFold

from pipelines.calibration.portions import AT_ONCE, portions

# Held-out examples of every class that a bias needs; with fewer it fits noise.
BIAS_EXAMPLES_PER_CLASS = 10
_HOTTEST = 20.0
# Scores of thousands of classes differ by thousandths.
_COLDEST, _COLDEST_OF_MANY = 0.05, 1e-4
_MANY_CLASSES = 100
_FOLDS = 5
_FEWEST_FITTED = 500


@dataclasses.dataclass(frozen=True)
class Temperature:
    """`softmax(logits / temperature + bias)`; `bias` has a number for each class."""

    method: str
    temperature: float
    bias: tuple[float, ...]

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """`[n, classes]` for logits of the same shape."""
        return _log_probabilities(logits, self.temperature, np.array(self.bias))


def unscaled(classes: int) -> Temperature:
    """Temperature 1 and no bias: probabilities as the model gives them."""
    return Temperature("none", 1.0, (0.0,) * classes)


def choose_temperature(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    method: str,
    weights: np.ndarray | None = None,
) -> tuple[Temperature, str]:
    """The temperature for held-out logits `[n, classes]`, and the reason in words.

    `auto` compares log losses by cross-validation. It takes a temperature if that
    lowers the loss by more than one standard error, so that chance alone does not spoil
    good probabilities. It takes a bias, which can change labels, if that lowers the
    loss by as much again and every class has 10 examples. `bias` takes a bias without
    comparing. Of very many logits a sample is fitted, at least 500 examples. Examples
    count by their `weights` `[n]`, above 0.
    """
    n, classes = logits.shape
    rows = _fitted_rows(n, classes)
    logits, labels = logits[rows], labels[rows]
    weights = None if weights is None else weights[rows]
    right = logits.argmax(axis=1) == labels
    if not right.any():
        return unscaled(classes), "No held-out example was right."
    if (labels == labels[0]).all():
        return unscaled(classes), "All held-out examples are of one class."
    fewest = int(np.bincount(labels, minlength=classes).min())
    seen = f" of {len(labels)} sampled" if len(labels) < n else ""
    if method == "auto":
        chosen, reason = _compare(logits, labels, weights, _too_few(fewest, seen))
    elif method == "bias" and fewest < BIAS_EXAMPLES_PER_CLASS:
        chosen, reason = "temperature", _too_few(fewest, seen)
    else:
        chosen, reason = method, f"calibration.method is {method}."
    if right.all():
        reason += " Every held-out example was right."
    if chosen == "none":
        return unscaled(classes), reason
    temperature, bias = _FITS[chosen](logits, labels, weights)
    reason += _at_bound(temperature, classes)
    return Temperature(chosen, temperature, tuple(map(float, bias))), reason


def _fitted_rows(n: int, classes: int) -> np.ndarray | slice:
    """Rows to fit a temperature to: all of up to 2^22 logits, else a random sample."""
    most = max(_FEWEST_FITTED, AT_ONCE // classes)
    if n <= most:
        return slice(None)
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def _coldest(classes: int) -> float:
    return _COLDEST if classes <= _MANY_CLASSES else _COLDEST_OF_MANY


def _at_bound(temperature: float, classes: int) -> str:
    bounds = {"lowest": _coldest(classes), "highest": _HOTTEST}
    for name, bound in bounds.items():
        if np.isclose(temperature, bound, rtol=1e-3):
            return (
                f" The temperature is the {name} one allowed, {bound:g}, so confidences"
                " may still be off."
            )
    return ""


def _compare(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    why_no_bias: str,
) -> tuple[str, str]:
    """The method that cross-validation chooses, and the losses in words."""
    n = len(labels)
    before = _losses(logits, labels, 1.0, np.zeros(logits.shape[1]))
    scaled = _cross_validated(fit_temperature, logits, labels, weights)
    mean = functools.partial(np.average, weights=weights)
    reason = (
        f"Cross-validated log loss on {n} held-out examples: {mean(before):.4f} plain,"
        f" {mean(scaled):.4f} with a temperature"
    )
    chosen, best = "none", before
    if _is_gain(before - scaled, weights):
        chosen, best = "temperature", scaled
    if why_no_bias:
        return chosen, f"{reason}. {why_no_bias}"
    biased = _cross_validated(fit_bias, logits, labels, weights)
    if _is_gain(best - biased, weights):
        chosen = "bias"
    return chosen, f"{reason}, {mean(biased):.4f} with a bias per class too."


def _is_gain(gains: np.ndarray, weights: np.ndarray | None) -> bool:
    """True if the mean is above zero by more than its standard error."""
    if weights is not None:
        share = weights / weights.sum(dtype=np.float64)
        mean = share @ gains
        error = np.sqrt((share @ np.square(gains - mean)) * (share @ share))
        return bool(mean > error)
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def _too_few(fewest: int, seen: str) -> str:
    """The reason not to fit a bias per class; empty if there are enough examples."""
    if fewest >= BIAS_EXAMPLES_PER_CLASS:
        return ""
    return (
        f"A bias per class needs {BIAS_EXAMPLES_PER_CLASS} held-out examples of each"
        f" class; the smallest class has {fewest}{seen}."
    )


def fit_temperature(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """The temperature with the lowest log loss, and a bias of zeros.

    From 0.05 to 20; with more than a hundred classes from 1e-4.

    If every example is right, the plain loss keeps falling as the temperature goes to
    0. So a label counts as right with `1 - 1 / (n + 2)`, as after `n` successes in `n`
    trials (Platt 1999); with hundreds of examples this hardly matters.
    """
    fitted = _fit(logits, labels, weights, with_bias=False)
    return float(1 / fitted[0]), fitted[1:]


def fit_bias(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Temperature and bias per class, of mean 0, with the lowest log loss together."""
    fitted = _fit(logits, labels, weights, with_bias=True)
    return float(1 / fitted[0]), fitted[1:] - fitted[1:].mean()


_FITS = {"temperature": fit_temperature, "bias": fit_bias}


def _fit(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    *,
    with_bias: bool,
) -> np.ndarray:
    """The scale (one over temperature) and the biases, `[1 + classes]`; convex."""
    n, classes = logits.shape
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    doubt = 1 / (n + 2)
    target = np.full(classes, doubt / classes)
    if weights is not None:
        weights = weights / weights.mean(dtype=np.float64)
    mean = functools.partial(np.average, weights=weights)
    target += (1 - doubt) * np.bincount(labels, weights, minlength=classes) / n
    of_truth = mean(logits[np.arange(n), labels])
    of_all = logits.sum() / n if weights is None else mean(logits.sum(axis=1))
    target_slope = (1 - doubt) * of_truth + doubt / classes * of_all

    def loss_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        # With thousands of classes each pass over the logits counts: one exponential.
        scaled = parameters[0] * logits
        scaled += parameters[1:] if with_bias else 0.0
        highest = scaled.max(axis=1, keepdims=True)
        powers = np.exp(np.subtract(scaled, highest, out=scaled), out=scaled)
        sums = powers.sum(axis=1)
        loss = mean(np.log(sums) + highest[:, 0]) - parameters[0] * target_slope
        slope = np.einsum("nk,nk->n", powers, logits) / sums
        gradient = np.array([mean(slope) - target_slope])
        if with_bias:
            loss -= target @ parameters[1:]
            shares = (1 / sums if weights is None else weights / sums) @ powers / n
            gradient = np.concatenate([gradient, shares - target])
        return float(loss), gradient

    free = classes if with_bias else 0
    bounds = [(1 / _HOTTEST, 1 / _coldest(classes)), *[(None, None)] * free]
    start = np.concatenate([[1.0], np.zeros(free)])
    options = {"ftol": 1e-10, "gtol": 1e-7, "maxiter": 200}
    fitted = minimize(
        loss_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options=options,
    ).x
    return fitted if with_bias else np.concatenate([fitted, np.zeros(classes)])


def _cross_validated(
    fit: Callable[..., tuple[float, np.ndarray]],
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
) -> np.ndarray:
    """The log loss of every example, with parameters fitted to the other folds."""
    losses = np.empty(len(labels))
    folds = KFold(min(_FOLDS, len(labels)), shuffle=True, random_state=0)
    for others, fold in folds.split(logits):
        own = None if weights is None else weights[others]
        fitted = fit(logits[others], labels[others], own)
        losses[fold] = _losses(logits[fold], labels[fold], *fitted)
    return losses


def _losses(
    logits: np.ndarray, labels: np.ndarray, temperature: float, bias: np.ndarray
) -> np.ndarray:
    """The log loss of every example, `[n]`."""
    losses = np.empty(len(labels))
    for rows in portions(*logits.shape):
        log_p = _log_probabilities(logits[rows], temperature, bias)
        losses[rows] = -log_p[np.arange(len(log_p)), labels[rows]]
    return losses


def _log_probabilities(
    logits: np.ndarray, temperature: float, bias: np.ndarray | float = 0.0
) -> np.ndarray:
    return log_softmax(logits.astype(np.float64) / temperature + bias, axis=1)
