"""A range test finds a rate at which training works, and leaves no trace."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.training.rate_finder import RisingRate, find_rate, rate_at, valley

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")
BATCHES = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(2),
        ]
    )


def _compile(model, rate):
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )


def _find(model, batches=None):
    batches = BATCHES.repeat() if batches is None else batches
    return find_rate(model, batches, lambda schedule: _compile(model, schedule))


def test_rates_rise_from_the_lowest_to_the_highest():
    schedule = RisingRate()
    rates = [float(schedule(step)) for step in (0, 33, 99)]
    assert rates == pytest.approx([1e-7, rate_at(33), 10.0], rel=1e-4)
    assert rate_at(50) / rate_at(49) == pytest.approx(rate_at(1) / rate_at(0))


def test_find_rate_restores_every_state(model):
    variables = [v for v in model.variables if v.shape != ()]
    assert len(variables) == 9  # eight weights, and the state of dropout
    before = [v.numpy() for v in variables]
    of_python, of_numpy = random.getstate(), np.random.get_state()[1].copy()

    def drawing(schedule):
        random.random(), np.random.random()
        _compile(model, schedule)

    found = find_rate(model, BATCHES.repeat(), drawing)
    assert found.losses[-1] != found.losses[0]
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert random.getstate() == of_python
    np.testing.assert_array_equal(np.random.get_state()[1], of_numpy)


def test_find_rate_does_not_change_training(model):
    start = [v.numpy() for v in model.variables]

    def trained():
        _compile(model, 0.1)
        history = model.fit(BATCHES, epochs=2, verbose=0, shuffle=False).history
        return history["loss"], model.get_weights()

    _find(model)
    loss, weights = trained()
    for variable, value in zip(model.variables, start, strict=True):
        variable.assign(value)
    loss_without, weights_without = trained()
    assert loss == loss_without
    for ours, theirs in zip(weights, weights_without, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_find_rate_stops_when_the_loss_diverges(model):
    found = _find(model)
    assert len(found.rates) == len(found.losses) <= 100
    *before, last = found.losses
    if len(found.losses) < 100:
        assert last > 4 * min(found.losses)
    assert all(loss <= 4 * min(before[: i + 1]) for i, loss in enumerate(before))
    assert 1e-3 < found.suggested < 3


RATES = [rate_at(step) for step in range(100)]


def test_the_suggestion_is_halfway_down_the_longest_valley():
    falls = [2.0] * 30 + [2.0 - 0.03 * i for i in range(50)] + [3.0] * 20
    assert valley(RATES, falls) == pytest.approx(rate_at(54), rel=0.3)
    # The same, and a valley before that is deeper, and shorter.
    before = [2.0] * 12 + [0.4, 0.3, 0.2] + falls[15:]
    assert valley(RATES, before) == pytest.approx(rate_at(54), rel=0.5)


@pytest.mark.parametrize(
    "losses",
    [[1.0] * 100, [1.0 + 0.01 * i for i in range(100)], [], [3.0, 2.0, 1.0]],
    ids=["flat", "rising", "none", "too few"],
)
def test_without_a_valley_nothing_is_suggested(losses):
    assert valley(RATES[: len(losses)], losses) is None
