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
# Left out of a class of two, an example has one other to be recognized by, and of one
# it has none: then that tells nothing of the penalty or of how sure to be. With these,
# on MNIST, Fashion-MNIST and emoji with 1 and 2 images per class, a probe is as often
# right as it says within .06, and as accurate within .02 as with any penalty.
_TELLING_PER_CLASS = 3
# Among hundreds of classes, two of each are many examples.
_TELLING_PER_CLASS_OF_MANY = 2
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

    They lie side by side, an array `[rows, width]` for every block; what it gives is
    one of all, float32.
    """

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        # In place: of thousands of wide rows every copy is hundreds of megabytes.
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

    Logits are `standardization(features) @ kernel + bias`, at the scale at which their
    probabilities fit examples left out best.
    """

    standardization: Standardization
    kernel: np.ndarray
    bias: np.ndarray


def standardization_of(parts: list[np.ndarray]) -> Standardization:
    """The scaling of features that lie side by side, one array for every block.

    A feature is divided by the geometric mean of its own standard deviation and that of
    its block: its own alone would blow up what is nearly constant, and that of the
    block alone leaves much of what varies little unseen. Of the three, this one had the
    best or nearly the best probes on all development data.
    """
    width = sum(part.shape[1] for part in parts)
    means, scales = [], []
    for part in parts:
        values = part.astype(np.float32)
        own = values.std(axis=0)
        of_block = float(np.sqrt(np.square(own).mean()))
        means.append(values.mean(axis=0))
        scales.append(np.sqrt(np.maximum(own, _TINY) * max(of_block, _TINY)))
    return Standardization(
        mean=np.concatenate(means),
        scale=np.concatenate(scales) * np.float32(np.sqrt(width) / _NORM),
    )


def linear_probe(
    parts: list[np.ndarray], labels: np.ndarray, scored: ProbeScore
) -> Probe:
    """The ridge on features that lie side by side, an array `[rows, width]` per block.

    `labels` are `0..classes-1`, each present. Its penalty and the size of its logits
    are those that did best when these features were scored.
    """
    standardize = standardization_of(parts)
    kernel, bias = ridge.solve(standardize(parts), labels, penalty=scored.penalty)
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
) -> ProbeScore:
    """How often a linear probe is right about examples left out of its fit.

    `groups` numbers the rows, and rows of one number are left out together. Labels may
    be those of some classes only, which then are all that there are to choose from.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    _require_finite(parts)
    standardize = standardization_of(parts)
    labels = np.unique(labels, return_inverse=True)[1]
    fitted = ridge.fit(standardize(parts), labels, groups=groups)
    classes = fitted.left_out.shape[1]
    is_telling = len(labels) >= _TELLING_PER_CLASS * classes
    return ProbeScore(
        reads=reads,
        grid=grid,
        width=len(fitted.kernel),
        **_measured(fitted.left_out, labels),
        penalty=fitted.penalty if is_telling else _USUAL_PENALTY,
        sharpness=(
            _sharpness(fitted.left_out, labels)
            if is_telling
            else _usual_sharpness(classes)
        ),
    )


def score_of_all(
    parts: list[np.ndarray],
    labels: np.ndarray,
    judged: np.ndarray,
    *,
    groups: np.ndarray | None,
    scored: ProbeScore,
) -> ProbeScore:
    """The score among all classes, with the penalty that did best among some.

    Fitted to all rows, it judges the `judged` ones, each left out with its group: so it
    is that of a probe on all that was read, and takes a time that grows with the number
    of classes alone. Labels are `0..classes-1`, each present.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    _require_finite(parts)
    scores = ridge.left_out(
        standardization_of(parts)(parts),
        labels,
        judged,
        penalty=scored.penalty,
        groups=groups,
    )
    classes = scores.shape[1]
    is_telling = len(labels) >= _TELLING_PER_CLASS_OF_MANY * classes
    few = slice(0, max(_FEWEST_SHARPENED, AT_ONCE // classes))
    return dataclasses.replace(
        scored,
        **_measured(scores, labels[judged]),
        sharpness=(
            _sharpness(scores[few], labels[judged][few])
            if is_telling
            else _usual_sharpness(classes)
        ),
    )


def _require_finite(parts: Sequence[np.ndarray]) -> None:
    for part in parts:
        if not np.isfinite(part).all():
            row = int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0])
            raise TrainingError(
                f"The backbone gives NaN or infinity for training example {row}. Use"
                " config.precision='float32', or other weights."
            )


def _measured(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What scores `[n, classes]` of examples left out come to."""
    right = scores.argmax(axis=1) == labels
    errors = scores.astype(np.float64)
    errors[np.arange(len(labels)), labels] -= 1.0
    return {
        "accuracy": float(right.mean()),
        "standard_error": _standard_error(int(right.sum()), len(right)),
        "squared_error": float(np.square(errors).mean()),
    }


def _standard_error(right: int, count: int) -> float:
    """That of a share, with one more of each outcome: all right is not certain."""
    share = (right + 1) / (count + 2)
    return float(np.sqrt(share * (1 - share) / count))


def _usual_sharpness(classes: int) -> float:
    """How sure to be where nothing that is left out tells.

    A score is a share, and those of many classes are small. With one example of each of
    300 to 3,000 classes on synthetic features, the likeliest factor was a class in 14
    to 55 times the usual one.
    """
    if classes <= _MANY_CLASSES:
        return _USUAL_SHARPNESS
    return _USUAL_SHARPNESS * classes / _USUAL_CLASSES


def _sharpness(scores: np.ndarray, labels: np.ndarray) -> float:
    """The factor at which scores, read as logits, have the highest likelihood.

    A ridge gives scores between 0 and 1, which as logits would be hardly a preference.
    """
    rows, classes = np.arange(len(labels)), scores.shape[1]
    # One more example than there are was wrong: all right is not certain.
    doubt = 1 / (len(labels) + 2)

    def loss(log_factor: float) -> float:
        logits = np.exp(log_factor) * scores.astype(np.float64)
        logs = log_softmax(logits, axis=1)
        right = logs[rows, labels]
        wrong = (logs.sum(axis=1) - right) / (classes - 1)
        return float(-((1 - doubt) * right + doubt * wrong).mean())

    found = minimize_scalar(
        loss, bounds=(0.0, _LARGEST_LOG_SHARPNESS), method="bounded"
    )
    return float(np.exp(found.x))
