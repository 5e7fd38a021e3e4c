"""A phase proves on validation that it did no harm, or is undone.

Between the weights of before and the trained ones, the best blend is sought
(https://arxiv.org/abs/2109.01903), and it is kept only if what it gets right more often
exceeds one standard error of that gain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from pipelines.training.callbacks import Score, score

_BLENDS = (0.25, 0.5, 0.75, 1.0)

Weights = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What validation says of a phase.

    `blend` is the share of the trained weights in those that the model has now: 0 where
    the phase was undone. `gain` is that of the best blend over the weights of before,
    in accuracy, and `standard_error` its uncertainty: both weigh the same examples, so
    only those on which they differ count.
    """

    blend: float
    gain: float
    standard_error: float
    accuracy: float


def settle(
    model: keras.Model, before: Weights, trained: Weights, validation: tf.data.Dataset
) -> Verdict:
    """Puts the best blend into the model, or the weights of before, and says why.

    Validation has labels, or a row of shares of the classes, and weights where not all
    examples count the same.
    """
    labels, weights = _labels_and_weights(validation)
    # In a tuple of one: Keras takes a tuple of several for inputs, labels and weights.
    validation = validation.map(lambda x, *_: (x,))
    model.set_weights(before)
    base = _logits(model, validation)
    found = {}
    for blend in _BLENDS:
        model.set_weights(_blended(before, trained, blend))
        found[blend] = _logits(model, validation)
    best = max(_BLENDS, key=lambda blend: _score(found[blend], labels, weights))
    gain, standard_error = paired_gain(
        _right(base, labels), _right(found[best], labels), weights
    )
    kept = best if gain > standard_error else 0.0
    model.set_weights(_blended(before, trained, kept) if kept else before)
    right = _right(found[kept] if kept else base, labels)
    accuracy = np.average(right, weights=weights)
    return Verdict(kept, gain, standard_error, float(accuracy))


def accuracy_and_loss(
    model: keras.Model, validation: tf.data.Dataset
) -> tuple[float, float]:
    """What a model reaches as it is; see `settle` for what validation has."""
    labels, weights = _labels_and_weights(validation)
    logits = _logits(model, validation.map(lambda x, *_: (x,)))
    accuracy, negative_loss = _score(logits, labels, weights)
    return accuracy, -negative_loss


def paired_gain(
    before: np.ndarray, after: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """How much more often `after` is right, and the standard error of that.

    Both are bool `[examples]`, about the same examples, which count by their weights.
    The error counts one change more than was seen, so that a single example proves
    nothing.
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
    if share == 1:  # exactly, also where a weight of before is not finite
        return list(trained)
    return [
        ((1.0 - share) * b + share * t).astype(b.dtype) for b, t in zip(before, trained)
    ]


def _logits(model: keras.Model, validation: tf.data.Dataset) -> np.ndarray:
    return model.predict(validation, verbose=0)


def _right(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    finite = np.isfinite(logits).all(axis=1)
    return (logits.argmax(axis=1) == labels) & finite


def _score(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Score:
    # NaN where any logit is not finite.
    chosen = log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return score(
        float(np.average(_right(logits, labels), weights=weights)),
        -float(np.average(chosen, weights=weights)),
    )
