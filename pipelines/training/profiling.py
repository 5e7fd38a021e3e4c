"""Where the seconds of a training step go, and a trace of some for TensorBoard."""

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
    """Median seconds of a step, by what they go into.

    `input` is what a step waits for its batch while nothing else computes; `forward`
    is with the loss; `callbacks` is all that is called around a step. Of `steps` steps.
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
    """Trains some steps of a compiled model, and undoes what they did to it.

    Compile the model anew afterwards: its optimizer is not what it was. The trace goes
    to `folder`, where TensorBoard reads it with the package tensorboard-plugin-profile.
    """
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
    given = iter(batches)
    first = next(given)
    forward, backward = _parts(model)
    for run in (forward, backward, lambda *one: _train(model, one)):
        run(*first)  # builds the graph
    waits, steps, batch = [], [], first
    for _ in range(_STEPS):
        started = time.perf_counter()
        batch = next(given)
        waits.append(time.perf_counter() - started)
        steps.append(_seconds(lambda *one: _train(model, one), batch))
    forwards, backwards = (
        [_seconds(run, batch) for _ in range(_STEPS)] for run in (forward, backward)
    )
    with tf.profiler.experimental.Profile(str(folder)):
        for number, one in enumerate(itertools.islice(given, _TRACED_STEPS)):
            with tf.profiler.experimental.Trace("train", step_num=number, _r=1):
                _train(model, one)
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
        found = model(x, training=True)
        return model.compute_loss(x=x, y=y, y_pred=found, sample_weight=weights)

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
    for one in tf.nest.flatten(run(*batch)):
        np.asarray(one)  # until it is computed, and not until it has been asked for
        break
    return time.perf_counter() - started


class CallbackSeconds:
    """Two callbacks, `first` and `last` of a fit, and how long those between take."""

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
        """Seconds a step; 0 where there was none."""
        return statistics.median(self._steps) if self._steps else 0.0
