"""The receipt of a phase: how far each block moved, on numbers done by hand."""

import keras
import numpy as np
import pytest

from pipelines.errors import TrainingError
from pipelines.training.receipt import (
    WeightSnapshot,
    accept_statistics,
    measure,
    refuse_moved,
    snapshot,
)


@pytest.fixture
def layers():
    """Two blocks: a dense layer of ones, and a BatchNormalization."""
    dense = keras.layers.Dense(2, use_bias=False, kernel_initializer="ones")
    norm = keras.layers.BatchNormalization()
    keras.Sequential([keras.Input((2,)), dense, norm])
    return {"dense": (dense,), "norm": (norm,)}


def test_a_change_is_told_by_its_size_and_its_share(layers):
    before = snapshot(layers)
    layers["dense"][0].kernel.assign([[1, 1], [1, 3]])
    dense, norm = measure(before, layers, trainable=["dense"])
    assert (dense.block, dense.trainable, norm.trainable) == ("dense", True, False)
    assert dense.largest_change == 2
    assert dense.relative_change == pytest.approx(1.0)
    assert (norm.largest_change, norm.statistics_change) == (0, 0)


def test_accepted_statistics_are_in_no_other_number(layers):
    before = snapshot(layers)
    (norm,) = layers["norm"]
    norm.moving_mean.assign([0.5, -3])
    accepted, changes = accept_statistics(before, layers)
    assert changes == {"dense": 0, "norm": 3}
    norm.gamma.assign([1, 2])
    _, change = measure(accepted, layers, trainable=["norm"], reestimated=changes)
    assert change.statistics_change == 0
    assert change.largest_change == 1
    assert change.reestimated_change == 3


def test_what_is_frozen_and_moved_is_refused_by_name(layers):
    before = snapshot(layers)
    refuse_moved("head", measure(before, layers, trainable=[]), statistics_frozen=True)
    layers["norm"][0].moving_mean.assign([0, 1])
    trained = measure(before, layers, trainable=["norm"])
    refuse_moved("head", trained, statistics_frozen=False)
    with pytest.raises(TrainingError, match="phase 'head' the block 'norm' moved"):
        refuse_moved("head", trained, statistics_frozen=True)


def test_weights_are_those_of_the_variables_in_any_model():
    x = keras.Input((2,))
    first, second = keras.layers.Dense(3), keras.layers.Dense(4)
    whole = keras.Model(x, second(first(x)))
    before = WeightSnapshot(whole)
    second.kernel.assign(second.kernel + 1)
    upper = keras.Model(second.input, second.output)
    kernel, bias = before.of(upper)
    np.testing.assert_allclose(kernel, np.asarray(second.kernel) - 1, atol=1e-6)
    assert bias.shape == (4,)
    assert [value.shape for value in before.of(whole)][:2] == [(2, 3), (3,)]
