"""Series with other channels than a network was trained on."""

import keras
import numpy as np

from zoo.graph import channels
from zoo.graph.preprocessing import series_layer

SERIES = np.random.default_rng(0).normal(size=(4, 20, 3)).astype("float32")


def _network(count, *, mixes=True):
    inputs = keras.Input((20, count), name="series")
    x = series_layer()(inputs)
    if mixes:
        x = channels.mixed(x, 1)
    outputs = keras.layers.Conv1D(5, 3, padding="same", name="conv")(x)
    return keras.Model(inputs, outputs)


def test_mix_begins_as_normalized_mean_of_channels():
    inputs = keras.Input((20, 3))
    mixed = keras.Model(inputs, channels.mixed(series_layer()(inputs), 2))(SERIES)
    each = (SERIES - SERIES.mean(axis=1, keepdims=True)) / SERIES.std(
        axis=1, keepdims=True
    )
    mean = each.mean(axis=2, keepdims=True)
    wanted = np.repeat(mean / mean.std(axis=1, keepdims=True), 2, axis=2)
    np.testing.assert_allclose(mixed, wanted, atol=1e-5)


def test_equal_channels_give_what_one_gives():
    one, three = _network(1, mixes=False), _network(3)
    channels.transfer(one, three)
    repeated = np.repeat(SERIES[:, :, :1], 3, axis=2)
    np.testing.assert_allclose(
        three(repeated), one(SERIES[:, :, :1]), rtol=1e-4, atol=1e-5
    )


def test_mix_is_not_transferred_and_counts_its_channels():
    trained, target = _network(3), _network(2)
    kernel = trained.get_layer(channels.LAYER).kernel
    kernel.assign(kernel + 1.0)
    channels.transfer(trained, target)
    np.testing.assert_array_equal(
        target.get_layer("conv").kernel, trained.get_layer("conv").kernel
    )
    np.testing.assert_allclose(target.get_layer(channels.LAYER).kernel, 0.5)
    assert channels.channels_inside(target) == 1
    assert channels.channels_inside(_network(1, mixes=False)) is None
