"""The linear probe: the best linear classifier on frozen features, in closed form."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from pipelines.calibration.portions import AT_ONCE
from pipelines.errors import TrainingError
from pipelines.planning.evidence import ProbeScore
from pipelines.probing import ridge

# The root of the summed squares of a standardized feature vector. Small enough that
# the first steps of Adam, whose size does not depend on the gradient's, move logits by
# less than one.
_NORM = 4.0
# An example left out of a class of two has one other to be recognized by, and in a
# class of one it has none: then its score says nothing about penalty or sharpness. With
# the usual values instead, on MNIST, Fashion-MNIST and emoji with 1 and 2 images per
# class, the confidence of a probe matches its accuracy within .06, and its accuracy is
# within .02 of the best penalty.
_ENOUGH_PER_CLASS = 3
# Among hundreds of classes, two of each are many examples.
_ENOUGH_PER_CLASS_OF_MANY = 2
_FEWEST_SHARPENED = 300
_USUAL_PENALTY = 1.0
_USUAL_SHARPNESS = 9.5
_MANY_CLASSES, _USUAL_CLASSES = 100, 50
# The more classes, the smaller their scores, and the sharper they have to be.
_LARGEST_LOG_SHARPNESS = 12.0
_TINY = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Standardization:
    """Brings features to comparable sizes: `(x - mean) / scale`.

    Takes an array `[rows, width]` for every block, and returns one for all, float32.
    """

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        # In place: a copy of thousands of wide rows takes hundreds of megabytes.
        scaled = np.empty((len(parts[0]), len(self.mean)), np.float32)
        start = 0
        for part in parts:
            at = slice(start, start + part.shape[1])
            np.subtract(part, self.mean[at], out=scaled[:, at])
            start = at.stop
        scaled /= self.scale
        return scaled


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier for raw features.

    Logits are `standardization(features) @ kernel + bias`, scaled so that their
    probabilities fit examples left out best.
    """

    standardization: Standardization
    kernel: np.ndarray
    bias: np.ndarray

    def logits(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, classes]` for features, an array for every block."""
        return self.standardization(parts) @ self.kernel + self.bias


@dataclasses.dataclass(frozen=True, eq=False)
class Refitted:
    """A probe, and the logits `[rows, classes]` of fits that leave out each row."""

    probe: Probe
    left_out: np.ndarray


def standardization_of(
    parts: list[np.ndarray], weights: np.ndarray | None = None, *, alone: bool = False
) -> Standardization:
    """The standardization of features, given as one array for every block.

    A feature is divided by the geometric mean of its own standard deviation and its
    block's. Its own alone would blow up a nearly constant feature; the block's alone
    leaves features of small variance nearly unused. The geometric mean had the best or
    nearly the best probes on all development data. Rows count by their `weights`. With
    `alone` each is divided by its own deviation.
    """
    width = sum(part.shape[1] for part in parts)
    means, scales = [], []
    for part in parts:
        values = part.astype(np.float32)
        mean, own = values.mean(axis=0), values.std(axis=0)
        if weights is not None:
            mean = np.average(values, axis=0, weights=weights).astype(np.float32)
            squares = np.average(np.square(values - mean), axis=0, weights=weights)
            own = np.sqrt(squares).astype(np.float32)
        of_block = float(np.sqrt(np.square(own).mean()))
        means.append(mean)
        other = own if alone else max(of_block, _TINY)
        scales.append(np.sqrt(np.maximum(own, _TINY) * np.maximum(other, _TINY)))
    return Standardization(
        mean=np.concatenate(means),
        scale=np.concatenate(scales) * np.float32(np.sqrt(width) / _NORM),
    )


def counting(
    parts: list[np.ndarray],
    weights: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray | None]:
    """The rows of weight above 0: features, weights, labels and groups."""
    rows = np.flatnonzero(weights > 0)
    if len(rows) == len(weights):
        return parts, weights, labels, groups
    return (
        [part[rows] for part in parts],
        weights[rows],
        labels[rows],
        None if groups is None else groups[rows],
    )


def linear_probe(
    parts: list[np.ndarray],
    labels: np.ndarray,
    scored: ProbeScore,
    *,
    weights: np.ndarray | None = None,
) -> Probe:
    """The ridge on features, given as one array `[rows, width]` for every block.

    `labels` are `0..classes-1`, each present. Penalty and sharpness come from `scored`,
    the score of the same features. Rows count by their `weights`.
    """
    classes = int(labels.max()) + 1
    if weights is not None:
        parts, weights, labels, _ = counting(parts, weights, labels)
    standardize = standardization_of(parts, weights)
    kernel, bias = ridge.solve(
        standardize(parts),
        labels,
        penalty=scored.penalty,
        weights=weights,
        classes=classes,
    )
    factor = np.float32(scored.sharpness)
    return Probe(
        standardization=standardize, kernel=kernel * factor, bias=bias * factor
    )


def score(
    parts: list[np.ndarray],
    labels: np.ndarray,
    *,
    groups: np.ndarray | None,
    reads: tuple[str, ...],
    grid: int,
    weights: np.ndarray | None = None,
) -> ProbeScore:
    """The accuracy of a linear probe on examples left out of its fit.

    `groups` numbers the rows; rows with the same number are left out together. If only
    some classes occur in `labels`, the probe chooses among these. Rows count by their
    `weights`, in the fit and in the accuracy.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    scored, _ = score_and_fit(
        parts, labels, groups=groups, reads=reads, grid=grid, weights=weights
    )
    return scored


def score_and_fit(
    parts: list[np.ndarray],
    labels: np.ndarray,
    *,
    groups: np.ndarray | None,
    reads: tuple[str, ...],
    grid: int,
    weights: np.ndarray | None = None,
) -> tuple[ProbeScore, Probe | None]:
    """As `score`, and the probe of all rows that the same fit gives.

    It is the one of `linear_probe` to rounding, in no further time. None if the penalty
    is not the measured one, because there are too few examples to measure it by.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    require_finite(parts)
    if weights is not None:
        parts, weights, labels, groups = counting(parts, weights, labels, groups)
    standardize = standardization_of(parts, weights)
    labels = np.unique(labels, return_inverse=True)[1]
    fitted = ridge.fit(standardize(parts), labels, groups=groups, weights=weights)
    classes = fitted.left_out.shape[1]
    is_enough = len(labels) >= _ENOUGH_PER_CLASS * classes
    scored = ProbeScore(
        reads=reads,
        grid=grid,
        width=len(fitted.kernel),
        **_measured(fitted.left_out, labels, weights),
        penalty=fitted.penalty if is_enough else _USUAL_PENALTY,
        sharpness=(
            _sharpness(fitted.left_out, labels, weights)
            if is_enough
            else _usual_sharpness(classes)
        ),
    )
    if not is_enough:
        return scored, None
    factor = np.float32(scored.sharpness)
    return scored, Probe(standardize, fitted.kernel * factor, fitted.bias * factor)


def score_of_all(
    parts: list[np.ndarray],
    labels: np.ndarray,
    judged: np.ndarray,
    *,
    groups: np.ndarray | None,
    scored: ProbeScore,
    weights: np.ndarray | None = None,
) -> ProbeScore:
    """The score among all classes, with the penalty that was best among some.

    The probe is fitted to all rows and judged on the rows `judged`, each left out with
    its group. So it is the score of a probe on all features, in a time that grows only
    with the number of classes. Labels are `0..classes-1`, each present.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    require_finite(parts)
    if weights is not None:
        # Rows that do not count are neither fitted nor judged.
        judged = (np.cumsum(weights > 0) - 1)[judged[weights[judged] > 0]]
        parts, weights, labels, groups = counting(parts, weights, labels, groups)
    scores = ridge.left_out(
        standardization_of(parts, weights)(parts),
        labels,
        judged,
        penalty=scored.penalty,
        groups=groups,
        weights=weights,
    )
    own = None if weights is None else weights[judged]
    classes = scores.shape[1]
    is_enough = len(labels) >= _ENOUGH_PER_CLASS_OF_MANY * classes
    few = slice(0, max(_FEWEST_SHARPENED, AT_ONCE // classes))
    return dataclasses.replace(
        scored,
        **_measured(scores, labels[judged], own),
        sharpness=(
            _sharpness(
                scores[few], labels[judged][few], None if own is None else own[few]
            )
            if is_enough
            else _usual_sharpness(classes)
        ),
    )


def refit(
    parts: list[np.ndarray], labels: np.ndarray, *, groups: np.ndarray | None
) -> Refitted:
    """The linear probe of all rows, and what fits without each row give for it.

    Penalty and sharpness are the best ones for rows left out. `groups` is as in
    `score`; labels are `0..classes-1`, each present.

    Features that are shares, as those of MiniRocket, count by their own deviations: on
    PigCVP, with 52 classes, that adds 1.4 points, and on other sets nothing.
    """
    standardize = standardization_of(parts, alone=True)
    fitted = ridge.fit(standardize(parts), labels, groups=groups)
    factor = np.float32(_sharpness(fitted.left_out, labels, None))
    return Refitted(
        Probe(standardize, fitted.kernel * factor, fitted.bias * factor),
        fitted.left_out * factor,
    )


def require_finite(parts: Sequence[np.ndarray]) -> None:
    """Raises `TrainingError`, naming the first example with another feature."""
    for part in parts:
        if not np.isfinite(part).all():
            row = int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0])
            raise TrainingError(
                f"The backbone gives NaN or infinity for training example {row}. Use"
                " config.precision='float32', or other weights."
            )


def _measured(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None
) -> dict[str, Any]:
    """Accuracy and squared error of scores `[n, classes]` of examples left out."""
    right = scores.argmax(axis=1) == labels
    errors = scores.astype(np.float64)
    errors[np.arange(len(labels)), labels] -= 1.0
    if weights is not None:
        share, alone = weights / weights.sum(), effective_count(weights)
        accuracy = float(share @ right)
        return {
            "accuracy": accuracy,
            "standard_error": _standard_error(accuracy * alone, alone),
            "squared_error": float(share @ np.square(errors).mean(axis=1)),
        }
    return {
        "accuracy": float(right.mean()),
        "standard_error": _standard_error(int(right.sum()), len(right)),
        "squared_error": float(np.square(errors).mean()),
    }


def effective_count(weights: np.ndarray) -> float:
    """The number of examples of one weight that say as much (Kish)."""
    weights = weights.astype(np.float64)
    return float(weights.sum() ** 2 / np.square(weights).sum())


def standard_error(values: np.ndarray, weights: np.ndarray | None) -> float:
    """The standard error of the mean of values `[n]`, which count by their weights."""
    if weights is None:
        return float(values.std() / np.sqrt(len(values)))
    mean = np.average(values, weights=weights)
    variance = np.average(np.square(values - mean), weights=weights)
    return float(np.sqrt(variance / effective_count(weights)))


def _standard_error(right: float, count: float) -> float:
    """The standard error of a share, with one more of each outcome.

    So it is not 0 when all are right.
    """
    share = (right + 1) / (count + 2)
    return float(np.sqrt(share * (1 - share) / count))


def _usual_sharpness(classes: int) -> float:
    """The sharpness when too few examples are left out to measure it.

    A score is a share, and shares of many classes are small. With one example of each
    of 300 to 3,000 classes on synthetic features, the likeliest factor grew with the
    number of classes and was 14 to 55 times the usual one.
    """
    if classes <= _MANY_CLASSES:
        return _USUAL_SHARPNESS
    return _USUAL_SHARPNESS * classes / _USUAL_CLASSES


def _sharpness(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None
) -> float:
    """The factor at which scores, read as logits, have the highest likelihood.

    A ridge gives scores between 0 and 1; as logits these would hardly prefer a class.
    """
    rows, classes = np.arange(len(labels)), scores.shape[1]
    # Counts one more wrong example, so that the factor is finite when all are right.
    doubt = 1 / (len(labels) + 2)

    def loss(log_factor: float) -> float:
        logits = np.exp(log_factor) * scores.astype(np.float64)
        logs = log_softmax(logits, axis=1)
        right = logs[rows, labels]
        wrong = (logs.sum(axis=1) - right) / (classes - 1)
        likely = (1 - doubt) * right + doubt * wrong
        if weights is None:
            return float(-likely.mean())
        return float(-np.average(likely, weights=weights))

    minimum = minimize_scalar(
        loss, bounds=(0.0, _LARGEST_LOG_SHARPNESS), method="bounded"
    )
    return float(np.exp(minimum.x))
