"""A guard: a phase proves on validation that it helped, or is undone.

The best blend of the weights before the phase and after it is chosen by validation
(https://arxiv.org/abs/2109.01903). It is kept only if its gain in accuracy exceeds one
standard error of that gain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from pipelines.calibration.portions import portions
from pipelines.training.callbacks import Score, score

_BLENDS = (0.25, 0.5, 0.75, 1.0)

Weights = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class GuardResult:
    """The outcome of a phase on validation.

    `blend` is the share of the trained weights in the model now: 0 if the phase was
    undone. `gain` is the gain in accuracy of the best blend over the weights before the
    phase, and `standard_error` its uncertainty: both answer the same examples, so only
    the examples on which they differ count.
    """

    blend: float
    gain: float
    standard_error: float
    accuracy: float


def interpolate(
    model: keras.Model, before: Weights, trained: Weights, validation: tf.data.Dataset
) -> GuardResult:
    """Puts the best blend into the model, or the weights `before`.

    `validation` has labels, or rows with the share of each class, and weights if not
    all examples count the same.
    """
    labels, weights = _labels_and_weights(validation)
    # In a tuple of length 1: Keras reads a longer one as inputs, labels and weights.
    validation = validation.map(lambda x, *_: (x,))
    model.set_weights(before)
    base = _judged(model, validation, labels)
    judged = {}
    for blend in _BLENDS:
        model.set_weights(_blended(before, trained, blend))
        judged[blend] = _judged(model, validation, labels)
    best = max(_BLENDS, key=lambda blend: _score(judged[blend], weights))
    gain, standard_error = paired_gain(base.right, judged[best].right, weights)
    kept = best if gain > standard_error else 0.0
    model.set_weights(_blended(before, trained, kept) if kept else before)
    right = (judged[kept] if kept else base).right
    accuracy = np.average(right, weights=weights)
    return GuardResult(kept, gain, standard_error, float(accuracy))


def accuracy_and_loss(
    model: keras.Model, validation: tf.data.Dataset
) -> tuple[float, float]:
    """Accuracy and loss of a model as it is; `validation` as in `interpolate`."""
    labels, weights = _labels_and_weights(validation)
    judged = _judged(model, validation.map(lambda x, *_: (x,)), labels)
    accuracy, negative_loss = _score(judged, weights)
    return accuracy, -negative_loss


def paired_gain(
    before: np.ndarray, after: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """The gain in accuracy from `before` to `after`, and its standard error.

    Both are bool `[examples]` for the same examples, which count by their weights. The
    error counts one change more than was seen, so that a single example proves nothing.
    """
    share = weights / weights.sum()
    difference = after.astype(np.float64) - before.astype(np.float64)
    seen = np.square(share * difference).sum()
    return float(share @ difference), float(np.sqrt(seen + np.square(share).max()))


def _labels_and_weights(validation: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    parts = [[part.numpy() for part in rest] for _, *rest in validation]
    labels, *weights = (np.concatenate(column) for column in zip(*parts))
    if labels.ndim == 2:
        labels = labels.argmax(axis=1)
    return labels, weights[0] if weights else np.ones(len(labels))


def _blended(before: Weights, trained: Weights, share: float) -> list[np.ndarray]:
    if share == 1:  # exactly, also if a weight before is not finite
        return list(trained)
    return [
        ((1.0 - share) * b + share * t).astype(b.dtype) for b, t in zip(before, trained)
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class _Judged:
    """For each example `[n]`: `right`, and the log of the probability of its class.

    Not the logits: those of five models for thousands of classes take the memory.
    """

    right: np.ndarray
    log_p: np.ndarray


def _judged(
    model: keras.Model, validation: tf.data.Dataset, labels: np.ndarray
) -> _Judged:
    logits = model.predict(validation, verbose=0)
    right, log_p = np.empty(len(labels), bool), np.empty(len(labels), logits.dtype)
    for rows in portions(*logits.shape):
        some, at = logits[rows], np.arange(rows.stop - rows.start)
        finite = np.isfinite(some).all(axis=1)
        right[rows] = (some.argmax(axis=1) == labels[rows]) & finite
        # NaN if any logit is not finite.
        log_p[rows] = log_softmax(some, axis=1)[at, labels[rows]]
    return _Judged(right, log_p)


def _score(judged: _Judged, weights: np.ndarray) -> Score:
    return score(
        float(np.average(judged.right, weights=weights)),
        -float(np.average(judged.log_p, weights=weights)),
    )
