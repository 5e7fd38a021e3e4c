import keras
import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.methods.meta.hypergradient import HypergradientAdam


def steps(optimizer, gradients, *, start=1.0):
    variable = keras.Variable(np.full(3, start, np.float32))
    for gradient in gradients:
        optimizer.apply([np.full(3, gradient, np.float32)], [variable])
    return np.array(variable)


def factors(optimizer):
    return np.exp(np.array(optimizer._factors[0]))


def test_without_hyper_rate_it_is_adam():
    gradients = (1.0, -0.5, 2.0)
    ours = steps(HypergradientAdam(0.1, hyper_rate=0.0), gradients)
    np.testing.assert_allclose(
        ours, steps(keras.optimizers.Adam(0.1), gradients), rtol=1e-5
    )


def test_rate_rises_along_the_last_step():
    along = HypergradientAdam(0.1, hyper_rate=0.5)
    steps(along, (1.0, 1.0))
    against = HypergradientAdam(0.1, hyper_rate=0.5)
    steps(against, (1.0, -1.0))
    np.testing.assert_allclose(factors(along)[0], np.exp(0.5), rtol=1e-5)
    np.testing.assert_allclose(factors(against)[0], np.exp(-0.5), rtol=1e-5)


def test_decay_rises_where_weights_are_too_long():
    optimizer = HypergradientAdam(0.01, hyper_rate=0.5, decay=0.1)
    steps(optimizer, (1.0,))
    np.testing.assert_allclose(factors(optimizer)[1], np.exp(0.5), rtol=1e-5)
    optimizer = HypergradientAdam(0.01, hyper_rate=0.5, decay=0.1)
    steps(optimizer, (-1.0,))
    np.testing.assert_allclose(factors(optimizer)[1], np.exp(-0.5), rtol=1e-5)


def test_too_small_a_rate_is_made_up_for():
    def loss_after(hyper_rate):
        optimizer = HypergradientAdam(1e-3, hyper_rate=hyper_rate)
        variable = keras.Variable(np.array([1.0, -2.0], np.float32))
        for _ in range(100):
            optimizer.apply([2 * np.array(variable)], [variable])
        return float(np.square(np.array(variable)).sum())

    assert loss_after(0.05) < 0.5 * loss_after(0.0)


def test_config_and_state_are_saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=HypergradientAdam(0.02, decay=0.01), loss="mse")
    model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert again.decay == 0.01
    for before, after in zip(model.optimizer.variables, again.variables):
        np.testing.assert_array_equal(np.array(before), np.array(after))


@pytest.mark.parametrize(
    "options",
    [
        {"hyper_rate": -1},
        {"decay": 1},
        {"beta_1": 1.0},
        {"beta_2": -0.1},
        {"epsilon": 0},
    ],
)
def test_numbers_out_of_bounds_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ConfigError, match=f"{name} is {value}; allowed"):
        HypergradientAdam(**options)
