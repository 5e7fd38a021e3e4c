"""A profile of training steps: seconds by kind of work, and a trace for TensorBoard."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

_STEPS = 8
_TRACED_STEPS = 3


@dataclasses.dataclass(frozen=True)
class StepProfile:
    """Median seconds of a step by kind of work, over `steps` steps.

    `input` is the time a step waits for its batch while nothing else computes,
    `forward` includes the loss, and `callbacks` is all that Keras calls around a step.
    """

    steps: int
    input: float
    forward: float
    backward: float
    update: float
    callbacks: float = 0.0


def profile_steps(
    model: keras.Model, batches: tf.data.Dataset, *, folder: Path
) -> StepProfile:
    """Trains some steps of a compiled model, and puts its weights back.

    Compile the model anew afterwards: its optimizer has taken steps. The trace goes to
    `folder`, where TensorBoard reads it with the package tensorboard-plugin-profile.
    """
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
    iterator = iter(batches)
    first = next(iterator)
    forward, backward = _parts(model)
    for run in (forward, backward, lambda *batch: _train(model, batch)):
        run(*first)  # builds the graph
    waits, steps, batch = [], [], first
    for _ in range(_STEPS):
        started = time.perf_counter()
        batch = next(iterator)
        waits.append(time.perf_counter() - started)
        steps.append(_seconds(lambda *batch: _train(model, batch), batch))
    forwards, backwards = (
        [_seconds(run, batch) for _ in range(_STEPS)] for run in (forward, backward)
    )
    with tf.profiler.experimental.Profile(str(folder)):
        for number, batch in enumerate(itertools.islice(iterator, _TRACED_STEPS)):
            with tf.profiler.experimental.Trace("train", step_num=number, _r=1):
                _train(model, batch)
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value)
    forward_seconds, until_gradients, whole = map(
        statistics.median, (forwards, backwards, steps)
    )
    return StepProfile(
        steps=_STEPS,
        input=statistics.median(waits),
        forward=forward_seconds,
        backward=max(0.0, until_gradients - forward_seconds),
        update=max(0.0, whole - until_gradients),
    )


def _parts(model: keras.Model) -> tuple[Callable, Callable]:
    """The loss of a batch, and its gradients, as compiled functions."""
    trained = [variable.value for variable in model.trainable_variables]

    def loss_of(batch: tuple) -> tf.Tensor:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        logits = model(x, training=True)
        return model.compute_loss(x=x, y=y, y_pred=logits, sample_weight=weights)

    @tf.function
    def forward(*batch):
        return loss_of(batch)

    @tf.function
    def backward(*batch):
        with tf.GradientTape() as tape:
            loss = loss_of(batch)
        return tape.gradient(loss, trained)

    return forward, backward


def _train(model: keras.Model, batch: tuple) -> object:
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    return model.train_on_batch(x, y, sample_weight=weights)


def _seconds(run: Callable, batch: tuple) -> float:
    started = time.perf_counter()
    for tensor in tf.nest.flatten(run(*batch)):
        np.asarray(tensor)  # waits until it is computed, not only scheduled
        break
    return time.perf_counter() - started


class CallbackSeconds:
    """Two callbacks, `first` and `last` of a fit, that time the callbacks between."""

    def __init__(self) -> None:
        self._began = 0.0
        self._steps: list[float] = []
        self.first: keras.callbacks.Callback = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: self._begin(),
            on_train_batch_end=lambda batch, logs: self._begin(),
        )
        self.last: keras.callbacks.Callback = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: self._end(is_new=True),
            on_train_batch_end=lambda batch, logs: self._end(is_new=False),
        )

    def _begin(self) -> None:
        self._began = time.perf_counter()

    def _end(self, *, is_new: bool) -> None:
        seconds = time.perf_counter() - self._began
        if is_new:
            self._steps.append(seconds)
        else:
            self._steps[-1] += seconds

    @property
    def median(self) -> float:
        """The median seconds of a step; 0 before the first one."""
        return statistics.median(self._steps) if self._steps else 0.0
