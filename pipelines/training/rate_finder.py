"""A learning rate by a range test: how the loss answers to rates from low to high.

The test is that of https://arxiv.org/abs/1506.01186: the rate grows from step to step,
and the loss tells at which rates training works. The numbers and the suggestion are
those of fastai: from 1e-7 to 10 in 100 steps, until the smoothed loss is 4 times its
best, and then a point in the longest valley of the loss.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

_STEPS = 100
_LOWEST, _HIGHEST = 1e-7, 10.0
# The share of the smoothed loss that a step leaves.
_SMOOTHING = 0.98
_DIVERGED = 4.0
# The first losses are smoothed over too few, and the last ones diverge already.
_SKIPPED_FIRST, _SKIPPED_LAST = _STEPS // 10, 5


@dataclasses.dataclass(frozen=True)
class RateFound:
    """The rate that a range test suggests, and what it saw.

    `suggested` is none where the loss fell nowhere: then the plan's rate stays.
    `losses` are smoothed, one for each of `rates`.
    """

    suggested: float | None
    rates: tuple[float, ...]
    losses: tuple[float, ...]


def rate_at(step: int) -> float:
    """The rate of a step of the test, from 0 on."""
    return _LOWEST * (_HIGHEST / _LOWEST) ** (step / (_STEPS - 1))


@keras.saving.register_keras_serializable("zootune")
class RisingRate(keras.optimizers.schedules.LearningRateSchedule):
    """The schedule of a range test."""

    def __call__(self, step):
        share = keras.ops.cast(step, "float32") / (_STEPS - 1)
        return _LOWEST * keras.ops.power(_HIGHEST / _LOWEST, share)

    def get_config(self):
        return {}


def find_rate(
    model: keras.Model,
    train: tf.data.Dataset,
    compile_with: Callable[[keras.optimizers.schedules.LearningRateSchedule], None],
) -> RateFound:
    """Trains at most 100 steps at rising rates, and undoes them.

    `train` has batches without end. `compile_with` compiles the model with a new
    optimizer that follows a schedule; it has to be compiled again after. All else, the
    weights, the states of layers and of random generators, is as it was, bit for bit.
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
        found = model.train_on_batch(x, y, sample_weight=weights, return_dict=True)
        average = _SMOOTHING * average + (1 - _SMOOTHING) * float(found["loss"])
        smoothed = average / (1 - _SMOOTHING ** (step + 1))
        if not math.isfinite(smoothed):
            break
        rates.append(rate_at(step))
        losses.append(smoothed)
        if smoothed > _DIVERGED * min(losses):
            break
    return rates, losses


def valley(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A rate halfway down the longest valley, and none where there is none.

    The valley is the longest series of losses, not always neighbours, each lower than
    the one before.
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
    """Puts back all states of the model, and those of random generators."""
    before = [(v, keras.ops.convert_to_numpy(v).copy()) for v in model.variables]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
        random.setstate(of_python)
        np.random.set_state(of_numpy)
