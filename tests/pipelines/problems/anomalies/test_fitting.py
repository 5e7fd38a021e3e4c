"""Autoencoders of another source train on little, at the end alone."""

import numpy as np
import pytest

from pipelines.errors import ArtifactError
from pipelines.problems.anomalies.fitting import (
    fine_tuned,
    for_length,
    held_out_of,
    trained,
)

RNG = np.random.default_rng(0)
NONE_HELD_OUT = np.zeros((0, 24, 1), np.float32)


def waves(count, rate):
    place = RNG.uniform(0, 2 * np.pi, (count, 1)) + rate * np.linspace(0, 6, 24)
    return np.sin(place)[..., None].astype(np.float32)


SOURCE, TARGET = waves(40, 1.0), waves(20, 1.5)


def wrong(network, series):
    return float(np.square(np.asarray(network(series)) - series).mean())


@pytest.mark.parametrize("method", ["dense:variational", "convolutional:none"])
def test_fine_tuning_moves_the_end_alone(method):
    kind, regularizer = method.split(":")
    network = trained(kind, regularizer, SOURCE, NONE_HELD_OUT, seed=0)
    before = network.get_weights()
    made = fine_tuned(network, regularizer, TARGET, NONE_HELD_OUT, seed=0)
    for old, kept in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)
    assert wrong(made, TARGET) < wrong(network, TARGET)
    assert not made.trainable_variables
    encoder, decoder = ([m.layers[i] for m in (network, made)] for i in (1, -1))
    moved = [
        [not np.array_equal(a, b) for a, b in zip(x.get_weights(), y.get_weights())]
        for x, y in (encoder, decoder)
    ]
    assert not any(moved[0][:-2])
    assert all(moved[0][-2:])
    assert all(moved[1])


def test_what_gets_worse_is_not_kept():
    network = trained("dense", "none", SOURCE, NONE_HELD_OUT, seed=0)
    strange = RNG.normal(size=(20, 24, 1)).astype(np.float32)
    made = fine_tuned(network, "none", strange, SOURCE[:10], seed=0)
    assert wrong(made, SOURCE[:10]) <= wrong(network, SOURCE[:10])


def test_convolutions_take_series_of_another_length():
    network = trained("convolutional", "sparse", SOURCE, NONE_HELD_OUT, seed=0)
    method = "autoencoder:convolutional:sparse"
    assert for_length(network, method, 24) is network
    longer = for_length(network, method, 37)
    assert longer.output.shape == (None, 37, 1)
    for old, kept in zip(network.get_weights(), longer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)
    with pytest.raises(ArtifactError, match="24 steps, and cannot read 37"):
        for_length(network, "autoencoder:dense:none", 37)


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (14, 0), (15, 3), (40, 8)])
def test_a_fifth_is_held_out_of_enough(count, expected):
    assert held_out_of(count).sum() == expected
