"""A guard: a phase proves on validation that it helped, or is undone.

The best blend of the weights before the phase and after it is chosen by validation
(https://arxiv.org/abs/2109.01903). It is kept if its gain in accuracy exceeds one
standard error of that gain. Else a quarter of the change is kept, if that lowers the
loss by more than a standard error: few examples show a lower loss before they show one
more right answer (benchmarks/RESULTS.md, "Rules for keeping a phase").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.calibration.portions import portions
from pipelines.planning.paired import paired_gain
from pipelines.problems.protocol import Problem
from pipelines.training.callbacks import Score, score

_CAUTIOUS = 0.25
_BLENDS = (_CAUTIOUS, 0.5, 0.75, 1.0)

Weights = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class GuardResult:
    """The outcome of a phase on validation.

    `blend` is the share of the trained weights in the model now: 0 if the phase was
    undone. `gain` is the gain in quality of the best blend over the weights before the
    phase, and `standard_error` its uncertainty: both answer the same examples, so only
    the examples on which they differ count. The quality of a classifier is 1 where it
    is right, so that the gain is one of accuracy. `accuracy` is the compared metric of
    the problem, and `before` what it was, if epochs have another one.
    """

    blend: float
    gain: float
    standard_error: float
    accuracy: float
    before: float | None = None


def interpolate(
    model: keras.Model,
    before: Weights,
    trained: Weights,
    validation: tf.data.Dataset,
    problem: Problem,
    *,
    whole: bool = False,
    quarters: bool = False,
) -> GuardResult:
    """Puts the best blend into the model, or the weights `before`.

    With `whole` the only blend is what was trained. With `quarters` a quarter of the
    change stays where only the loss shows that it is better.

    `validation` has labels, or rows with the share of each class, and weights if not
    all examples count the same.
    """
    labels, weights = _labels_and_weights(validation, problem)
    # In a tuple of length 1: Keras reads a longer one as inputs, labels and weights.
    validation = validation.map(lambda x, *_: (x,))
    model.set_weights(before)
    base = _judged(model, validation, labels, weights, problem)
    judged = {}
    for blend in (1.0,) if whole else _BLENDS:
        model.set_weights(_blended(before, trained, blend))
        judged[blend] = _judged(model, validation, labels, weights, problem)
    best = max(judged, key=lambda blend: _score(judged[blend], weights))
    gain, standard_error = paired_gain(
        base.quality, judged[best].quality, weights=weights, unit=1.0
    )
    kept = best if gain > standard_error else 0.0
    if quarters and not kept and _lowers_loss(base, judged[_CAUTIOUS], weights):
        kept = _CAUTIOUS
    model.set_weights(_blended(before, trained, kept) if kept else before)
    reached = (judged[kept] if kept else base).metric
    before_it = base.metric if problem.needs_outputs else None
    return GuardResult(kept, gain, standard_error, reached, before_it)


def accuracy_and_loss(
    model: keras.Model, validation: tf.data.Dataset, problem: Problem
) -> tuple[float, float]:
    """The compared metric and the loss of a model; `validation` as in `interpolate`."""
    labels, weights = _labels_and_weights(validation, problem)
    inputs = validation.map(lambda x, *_: (x,))
    judged = _judged(model, inputs, labels, weights, problem)
    accuracy, negative_loss = _score(judged, weights)
    return accuracy, -negative_loss


def _lowers_loss(before: _Scored, after: _Scored, weights: np.ndarray) -> bool:
    """True if the paired gain in log probability is more than its standard error."""
    share = weights / weights.sum()
    difference = (after.log_p - before.log_p).astype(np.float64)
    gain = float(share @ difference)
    error = np.sqrt(np.square(share * (difference - gain)).sum())
    # Also false where a loss is not a number.
    return bool(gain > error)


def _labels_and_weights(
    validation: tf.data.Dataset, problem: Problem
) -> tuple[np.ndarray, np.ndarray]:
    parts = [[part.numpy() for part in rest] for _, *rest in validation]
    labels, *weights = (np.concatenate(column) for column in zip(*parts))
    labels = problem.hard(labels)
    return labels, weights[0] if weights else np.ones(len(labels))


def _blended(before: Weights, trained: Weights, share: float) -> list[np.ndarray]:
    if share == 1:  # exactly, also if a weight before is not finite
        return list(trained)
    return [
        ((1.0 - share) * b + share * t).astype(b.dtype) for b, t in zip(before, trained)
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class _Scored:
    """For each example `[n]` its quality, and minus its loss; and the metric.

    Not the logits: those of five models for thousands of classes take the memory.
    """

    quality: np.ndarray
    log_p: np.ndarray
    metric: float


def _judged(
    model: keras.Model,
    validation: tf.data.Dataset,
    labels: np.ndarray,
    weights: np.ndarray,
    problem: Problem,
) -> _Scored:
    logits = model.predict(validation, verbose=0)
    parts = [
        problem.judge(logits[rows], labels[rows]) for rows in portions(*logits.shape)
    ]
    quality = np.concatenate([part.quality for part in parts])
    average = float(np.average(quality, weights=weights))
    kept = logits if problem.needs_outputs else None
    return _Scored(
        quality,
        np.concatenate([part.log_p for part in parts]),
        problem.reached(kept, labels, average, weights),
    )


def _score(judged: _Scored, weights: np.ndarray) -> Score:
    return score(judged.metric, -float(np.average(judged.log_p, weights=weights)))
