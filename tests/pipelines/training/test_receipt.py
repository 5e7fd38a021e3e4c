"""The receipt of a phase has the change of every block, and refuses frozen moves."""

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
    """A block of a kernel `[[3, 4]]`, and a block of BatchNorm with mean 0."""
    dense = keras.layers.Dense(2, use_bias=False)
    norm = keras.layers.BatchNormalization()
    dense.build((None, 1))
    norm.build((None, 2))
    dense.kernel.assign([[3.0, 4.0]])
    return {"dense": [dense], "norm": [norm]}


def test_measure_of_one_changed_weight_by_hand(layers):
    before = snapshot(layers)
    layers["dense"][0].kernel.assign([[3.0, 4.5]])
    dense, norm = measure(before, layers, trainable=["dense"])
    assert (dense.block, dense.trainable, norm.trainable) == ("dense", True, False)
    assert dense.largest_change == 0.5
    assert dense.relative_change == pytest.approx(0.5 / 5)
    assert (norm.largest_change, norm.statistics_change) == (0.0, 0.0)


def test_measure_counts_statistics_apart(layers):
    before = snapshot(layers)
    layers["norm"][0].moving_mean.assign([0.0, 2.0])
    _, norm = measure(before, layers, trainable=())
    assert norm.statistics_change == norm.largest_change == 2.0


def test_accepted_statistics_are_in_no_other_number(layers):
    before = snapshot(layers)
    layers["norm"][0].moving_mean.assign([0.0, 2.0])
    layers["norm"][0].gamma.assign([1.0, 1.25])
    before, changes = accept_statistics(before, layers)
    assert changes == {"dense": 0.0, "norm": 2.0}
    _, norm = measure(before, layers, trainable=["norm"], reestimated=changes)
    assert norm.reestimated_change == 2.0
    assert (norm.statistics_change, norm.largest_change) == (0.0, 0.25)


@pytest.mark.parametrize(
    ("trainable", "statistics_frozen", "is_refused"),
    [((), True, True), (["norm"], True, True), (["norm"], False, False)],
)
def test_refuse_moved_by_what_was_frozen(
    layers, trainable, statistics_frozen, is_refused
):
    before = snapshot(layers)
    layers["norm"][0].moving_mean.assign([0.0, 1e-7])
    changes = measure(before, layers, trainable=trainable)
    if not is_refused:
        refuse_moved("tune", changes, statistics_frozen=statistics_frozen)
        return
    with pytest.raises(TrainingError, match="'tune' the block 'norm' moved although"):
        refuse_moved("tune", changes, statistics_frozen=statistics_frozen)


def test_a_weight_snapshot_serves_models_that_share_variables():
    inputs = keras.Input([2])
    first, second = keras.layers.Dense(2), keras.layers.Dense(2)
    whole = keras.Model(inputs, second(first(inputs)))
    part = keras.Model(inputs, first(inputs))
    start = WeightSnapshot(whole)
    kernel = first.kernel.numpy()
    first.kernel.assign(np.zeros((2, 2)))
    part.set_weights(start.of(part))
    np.testing.assert_array_equal(first.kernel.numpy(), kernel)
