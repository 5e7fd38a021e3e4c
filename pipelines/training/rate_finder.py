"""A learning rate by a range test (https://arxiv.org/abs/1506.01186).

The rate grows from step to step, and the loss shows at which rates training works.
Numbers and suggestion follow fastai: from 1e-7 to 10 in 100 steps, until the smoothed
loss is 4 times its best, and then a point in the longest valley of the loss.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_STEPS = 100
_LOWEST, _HIGHEST = 1e-7, 10.0
# Decay of the moving average that smooths the loss.
_SMOOTHING = 0.98
_DIVERGED = 4.0
# The first losses are averages of few steps, and the last ones diverge already.
_SKIPPED_FIRST, _SKIPPED_LAST = _STEPS // 10, 5


@dataclasses.dataclass(frozen=True)
class RateFound:
    """The rate that a range test suggests, with the rates and losses of the test.

    `suggested` is None if the loss never fell: then the rate of the plan stays.
    `losses` are smoothed, one for each of `rates`.
    """

    suggested: float | None
    rates: tuple[float, ...]
    losses: tuple[float, ...]


def rate_at(step: int) -> float:
    """The learning rate of a step of the test, counted from 0."""
    return _LOWEST * (_HIGHEST / _LOWEST) ** (step / (_STEPS - 1))


@keras.saving.register_keras_serializable("zootune")
class RisingRate(keras.optimizers.schedules.LearningRateSchedule):
    """The schedule of a range test."""

    def __call__(self, step: Any) -> Any:
        share = keras.ops.cast(step, "float32") / (_STEPS - 1)
        return _LOWEST * keras.ops.power(_HIGHEST / _LOWEST, share)

    def get_config(self) -> dict[str, Any]:
        return {}


def find_rate(
    model: keras.Model,
    train: tf.data.Dataset,
    compile_with: Callable[[keras.optimizers.schedules.LearningRateSchedule], None],
) -> RateFound:
    """Trains at most 100 steps at rising rates, and undoes them.

    `train` has batches without end. `compile_with` compiles the model with a new
    optimizer that follows a schedule; compile it again afterwards. Weights, states of
    layers and random generators are put back bit for bit.
    """
    with _undone(model):
        compile_with(RisingRate())
        rates, losses = _range_test(model, train)
    return RateFound(valley(rates, losses), tuple(rates), tuple(losses))


def _range_test(
    model: keras.Model, train: tf.data.Dataset
) -> tuple[list[float], list[float]]:
    rates: list[float] = []
    losses: list[float] = []
    average = 0.0
    for step, batch in enumerate(train.take(_STEPS)):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        model.reset_metrics()
        logs = model.train_on_batch(x, y, sample_weight=weights, return_dict=True)
        average = _SMOOTHING * average + (1 - _SMOOTHING) * float(logs["loss"])
        smoothed = average / (1 - _SMOOTHING ** (step + 1))
        if not math.isfinite(smoothed):
            break
        rates.append(rate_at(step))
        losses.append(smoothed)
        if smoothed > _DIVERGED * min(losses):
            break
    return rates, losses


def valley(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A rate halfway down the longest valley of the losses; None without a valley.

    A valley is a series of losses, not necessarily neighbours, each lower than the one
    before.
    """
    kept = slice(_SKIPPED_FIRST, max(0, len(losses) - _SKIPPED_LAST))
    rates, losses = rates[kept], losses[kept]
    lengths = [1] * len(losses)
    for i in range(len(losses)):
        below = [lengths[j] for j in range(i) if losses[i] < losses[j]]
        lengths[i] = 1 + max(below, default=0)
    longest = max(lengths, default=0)
    if longest < 2:
        return None
    end = lengths.index(longest)
    third = longest / 3
    return float(rates[max(0, end - longest) + int(third) + int(third / 2)])


@contextlib.contextmanager
def _undone(model: keras.Model) -> Iterator[None]:
    """Restores all states of the model and of the random generators at the end."""
    before = [(v, keras.ops.convert_to_numpy(v).copy()) for v in model.variables]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
        random.setstate(of_python)
        np.random.set_state(of_numpy)
