"""Rate multipliers are exact: as if each variable had an optimizer of its own."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.training import rates

FACTORS = (1.0, 0.1, 0.01)
RATE = 0.05
KINDS = [
    (rates.SGD, keras.optimizers.SGD, {"momentum": 0.9}),
    (rates.SGD, keras.optimizers.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    (rates.SGD, keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    (rates.Adam, keras.optimizers.Adam, {}),
    (rates.Adam, keras.optimizers.Adam, {"weight_decay": 0.1}),
    (rates.AdamW, keras.optimizers.AdamW, {"weight_decay": 0.1}),
]


def _variables() -> list[keras.Variable]:
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.normal(size=(4, 3)), dtype="float32") for _ in FACTORS]


def _gradients(step: int) -> list[np.ndarray]:
    rng = np.random.default_rng(step + 1)
    return [rng.normal(size=(4, 3)).astype("float32") for _ in FACTORS]


@pytest.mark.parametrize(("ours", "theirs", "options"), KINDS)
def test_same_as_one_optimizer_per_variable(ours, theirs, options):
    together, apart = _variables(), _variables()
    one = ours(rate_multipliers=FACTORS, learning_rate=RATE, **options)
    many = [theirs(learning_rate=RATE * factor, **options) for factor in FACTORS]
    for step in range(10):
        gradients = _gradients(step)
        one.apply(gradients, together)
        for optimizer, gradient, variable in zip(many, gradients, apart):
            optimizer.apply([gradient], [variable])
    for ours_value, theirs_value in zip(together, apart):
        # Adam's kernel rounds `1 - beta`, which Keras does not.
        atol = 1e-6 if ours is rates.SGD else 5e-6
        np.testing.assert_allclose(ours_value.numpy(), theirs_value.numpy(), atol=atol)


def test_sparse_gradients_leave_other_rows_alone():
    table = keras.Variable(np.ones((5, 2)), dtype="float32")
    optimizer = rates.Adam(rate_multipliers=(1.0,), learning_rate=RATE)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table.value, [1, 3]))
    (gradient,) = tape.gradient(loss, [table.value])
    assert isinstance(gradient, tf.IndexedSlices)
    optimizer.apply([gradient], [table])
    moved = np.abs(table.numpy() - 1).max(axis=1)
    np.testing.assert_allclose(moved, [0, RATE, 0, RATE, 0], atol=1e-4)


def test_scaling_gradients_does_nothing_under_adam():
    scaled, multiplied = _variables(), _variables()
    plain = keras.optimizers.Adam(learning_rate=RATE)
    ours = rates.Adam(rate_multipliers=FACTORS, learning_rate=RATE)
    for step in range(10):
        gradients = _gradients(step)
        plain.apply([g * f for g, f in zip(gradients, FACTORS)], scaled)
        ours.apply(gradients, multiplied)
    difference = np.abs(scaled[-1].numpy() - multiplied[-1].numpy()).max()
    assert difference > 10 * RATE * FACTORS[-1]


def test_multipliers_survive_serialization():
    optimizer = rates.Adam(rate_multipliers=FACTORS, learning_rate=RATE)
    config = keras.optimizers.serialize(optimizer)
    again = keras.optimizers.deserialize(config)
    assert isinstance(again, rates.Adam)
    assert tuple(again.rate_multipliers) == FACTORS


def test_an_optimizer_for_other_variables_is_refused():
    optimizer = rates.Adam(rate_multipliers=FACTORS[:2], learning_rate=RATE)
    with pytest.raises(ValueError, match="2 rate multipliers for 3"):
        optimizer.build(_variables())


@pytest.fixture
def phase():
    facts = TrainingFacts(examples=10, classes=2, block_names=("stem", "end"))
    return decide(facts, RunConfig(strategy="full")).phases[-1]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_schedule_warms_up_and_ends_at_zero(phase, name):
    phase = dataclasses.replace(phase, optimizer=name, warmup_fraction=0.1)
    optimizer = rates.optimizer_for(phase, rate_multipliers=FACTORS, steps=100)
    schedule = optimizer._learning_rate
    assert float(schedule(0)) == 0.0
    assert float(schedule(10)) == pytest.approx(phase.learning_rate)
    assert float(schedule(55)) == pytest.approx(phase.learning_rate / 2, rel=1e-3)
    assert float(schedule(100)) == pytest.approx(0.0, abs=1e-9)


def test_optimizers_without_exact_multipliers_are_refused_by_name(phase):
    phase = dataclasses.replace(phase, optimizer="adafactor")
    with pytest.raises(ConfigError, match="'adafactor'; allowed: sgd, adam, adamw"):
        rates.optimizer_for(phase, rate_multipliers=FACTORS, steps=10)


def _phase(**fields):
    config = RunConfig(strategy="partial")
    facts = TrainingFacts(examples=400, classes=10, block_names=("a", "b"))
    last = decide(facts, config).phases[-1]
    return dataclasses.replace(last, warmup_fraction=0.0, **fields)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_accumulated_gradients_equal_one_large_batch(optimizer):
    small, large = _variables(), _variables()
    phase = _phase(optimizer=optimizer, weight_decay=0.1, clip_norm=0.5)
    constant = keras.optimizers.schedules.ExponentialDecay(RATE, 1, 1.0)
    many, single = (
        rates.optimizer_for(
            dataclasses.replace(phase, accumulate_steps=steps),
            rate_multipliers=FACTORS,
            steps=12,
            schedule=constant,
        )
        for steps in (3, 1)
    )
    for update in range(4):
        parts = [_gradients(3 * update + step) for step in range(3)]
        for number, part in enumerate(parts):
            before = [v.numpy() for v in small]
            many.apply(part, small)
            if number < 2:
                assert all(np.array_equal(v, b) for v, b in zip(small, before))
        single.apply([np.mean(columns, axis=0) for columns in zip(*parts)], large)
    for one, other in zip(small, large):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-6)


def test_sparse_gradients_accumulate_too():
    table = keras.Variable(np.ones((5, 2)), dtype="float32")
    optimizer = rates.SGD(
        rate_multipliers=(1.0,), learning_rate=1.0, gradient_accumulation_steps=2
    )
    for rows in ([1, 3], [1, 2]):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table.value, rows))
        optimizer.apply(tape.gradient(loss, [table.value]), [table])
    np.testing.assert_allclose(table.numpy()[:, 0], [1, 0, 0.5, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_momentum_of_the_phase_is_that_of_sgd(momentum):
    phase = _phase(optimizer="sgd", momentum=momentum, clip_norm=1e6)
    constant = keras.optimizers.schedules.ExponentialDecay(RATE, 1, 1.0)
    ours = rates.optimizer_for(
        phase, rate_multipliers=(1.0,) * 3, steps=9, schedule=constant
    )
    theirs = keras.optimizers.SGD(RATE, momentum=momentum)
    one, other = _variables(), _variables()
    for step in range(3):
        ours.apply(_gradients(step), one)
        theirs.apply(_gradients(step), other)
    for a, b in zip(one, other):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
