"""The features are the paper's, exactly, whatever the batch and the number format."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.catalog.series import KERNEL_COUNT, MOST_DILATIONS, THRESHOLDS_PER_KERNEL
from zoo.graph import minirocket
from zoo.graph.minirocket import MiniRocket, dilations_for, kernels, quantiles

STEPS = 61


def _layer(steps=STEPS, **options):
    return MiniRocket(*dilations_for(steps), autocast=False, **options)


def _plain(layer, x, combinations=None):
    """The features of one series `[steps, channels]`, one step after the other."""
    thresholds = np.asarray(layer.thresholds)
    x = np.asarray(layer.rounded(x[None]))[0].astype(np.float64)
    weights, start, features = kernels().T, 0, []
    for number, dilation in enumerate(layer.dilations):
        count = layer.thresholds_per_dilation[number]
        reach = 4 * dilation
        sums = []
        for k in range(KERNEL_COUNT):
            row = number * KERNEL_COUNT + k
            used = np.ones(x.shape[1]) if combinations is None else combinations[row]
            padded = np.pad(x @ used, reach)
            sums.append(
                [
                    sum(weights[k][j] * padded[t + j * dilation] for j in range(9))
                    for t in range(len(x))
                ]
            )
        values = np.array(sums)
        own = thresholds[start : start + KERNEL_COUNT * count].reshape(count, -1)
        for parity, inside in ((number % 2, False), ((number + 1) % 2, True)):
            for row in own:
                for k in range(parity, KERNEL_COUNT, 2):
                    read = values[k][reach : len(x) - reach] if inside else values[k]
                    features.append(np.mean(read > row[k]) if len(read) else np.nan)
        start += KERNEL_COUNT * count
    return np.array(features)


def test_kernels_are_all_that_sum_to_zero():
    made = kernels().T
    assert {tuple(np.flatnonzero(kernel == 2.0)) for kernel in made} == set(
        itertools.combinations(range(9), 3)
    )
    assert not made.sum(axis=1).any()
    assert set(np.unique(made)) == {-1.0, 2.0}


@pytest.mark.parametrize("steps", [9, 10, 24, 150, 2000, 65_536])
def test_dilations_reach_the_length_and_share_all_thresholds(steps):
    dilations, counts = dilations_for(steps)
    assert sum(counts) == THRESHOLDS_PER_KERNEL
    assert len(dilations) == len(counts) <= MOST_DILATIONS
    assert dilations[0] == 1
    assert 8 * dilations[-1] <= steps - 1 < 16 * dilations[-1]


def test_quantiles_fill_the_range_evenly():
    made = quantiles(1000)
    assert np.abs(np.sort(made) - np.arange(0.5, 1000) / 1000).max() < 3e-3


def test_features_are_those_of_a_plain_loop():
    series = np.random.default_rng(0).normal(size=(2, STEPS, 1)).astype(np.float32)
    layer = _layer()
    features = layer(series).numpy()
    assert features.shape == (2, KERNEL_COUNT * THRESHOLDS_PER_KERNEL)
    for row, x in zip(features, series):
        np.testing.assert_allclose(row, _plain(layer, x), atol=1e-6)


def test_several_channels_are_added_as_the_combinations_say():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(1, 20, 3)).astype(np.float32)
    layer = _layer(20)
    layer.build(series.shape)
    chosen = (rng.random(layer.combinations.shape) < 0.6).astype(np.float32)
    layer.combinations.assign(chosen)
    expected = _plain(layer, series[0], chosen)
    np.testing.assert_allclose(layer(series)[0], expected, atol=1e-6)


def test_padding_does_not_count():
    rng = np.random.default_rng(0)
    short = rng.normal(size=(1, 40, 1)).astype(np.float32)
    padded = np.pad(short, [(0, 0), (0, STEPS - 40), (0, 0)], constant_values=np.nan)
    layer = _layer()
    layer.build(padded.shape)
    alone = _plain(layer, short[0])
    features = layer(padded)[0].numpy()
    reaching = [8 * d >= 40 for d in layer.dilations]
    assert any(reaching)
    assert not all(reaching)
    there = ~np.isnan(alone)  # no step is inside of what reaches further
    np.testing.assert_allclose(features[there], alone[there], atol=1e-6)
    assert not features[~there].any()


def test_bits_are_the_same_in_any_batch(monkeypatch):
    rng = np.random.default_rng(0)
    series = (1e3 + 7 * rng.normal(size=(5, STEPS, 2))).astype(np.float32)
    layer = _layer()
    layer.build(series.shape)
    layer.mean.assign([1e3, 1e3])
    layer.scale.assign([8, 8])
    together = layer(series).numpy()
    alone = np.concatenate([layer(one[None]).numpy() for one in series])
    np.testing.assert_array_equal(together, alone)
    traced = tf.function(layer)(series).numpy()
    np.testing.assert_array_equal(together, traced)
    monkeypatch.setattr(minirocket, "_AT_ONCE", 1)
    np.testing.assert_array_equal(together, layer(series).numpy())


def test_outliers_and_constant_series_give_finite_features():
    series = np.zeros((3, STEPS, 1), np.float32)
    series[1] = 1e30
    series[2, 30] = -1e30
    features = _layer()(series).numpy()
    assert np.isfinite(features).all()
    assert features.min() >= 0
    assert features.max() <= 1


def test_layer_is_made_again_from_its_config():
    layer = _layer(name="kernels")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert again.get_config() == layer.get_config()
    assert again.compute_output_shape((4, STEPS, 1)) == (4, 9996)
