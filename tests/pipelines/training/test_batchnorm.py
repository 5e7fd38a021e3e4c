"""Re-estimated statistics are those of the population that was read."""

import keras
import numpy as np
import pytest

import zoo
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.training import batchnorm
from pipelines.training.batchnorm import batchnorm_layers, quicken, reestimate
from zoo.graph.blocks import batchnorm_inputs

SIZE = 16


@pytest.fixture(scope="module")
def train():
    return load(DatasetRef.parse("builtin:digits?limit=120")).train


@pytest.fixture
def backbone():
    keras.utils.set_random_seed(0)
    return zoo.build("tiny_image", weights=None, input_size_px=SIZE)


def _reestimate(backbone, train, *, seed=0):
    reestimate(backbone.model, backbone.blocks, train, input_size_px=SIZE, seed=seed)


def _populations(backbone, train):
    """For every BatchNorm layer, the mean and variance of what it reads, by numpy."""
    (whole,) = batches(train, input_size_px=SIZE, batch_size=len(train))
    pairs = [p for b in backbone.blocks for p in batchnorm_inputs(backbone.model, b)]
    reads = keras.Model(backbone.model.input, [given for _, given in pairs])
    values = [np.float64(one) for one in reads(whole[0], training=False)]
    return [
        (layer, x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)))
        for (layer, _), x in zip(pairs, values)
    ]


def test_reestimate_of_one_batch_is_exact(backbone, train):
    few = train.take(range(60))
    _reestimate(backbone, few)
    found = _populations(backbone, few)
    assert len(found) == 3
    for layer, mean, variance in found:
        np.testing.assert_allclose(layer.moving_mean.numpy(), mean, atol=1e-5)
        np.testing.assert_allclose(layer.moving_variance.numpy(), variance, atol=1e-5)


def test_reestimate_of_several_batches_is_nearly_exact(backbone, train):
    before = _populations(backbone, train)
    assert (
        max(np.abs(layer.moving_mean - mean).max() for layer, mean, _ in before) > 0.3
    )
    assert len(train) > batchnorm._BATCH
    _reestimate(backbone, train)
    (first, mean, variance), *later = _populations(backbone, train)
    np.testing.assert_allclose(first.moving_mean.numpy(), mean, atol=1e-5)
    np.testing.assert_allclose(first.moving_variance.numpy(), variance, atol=1e-5)
    for layer, mean, variance in later:
        scale = np.sqrt(variance.max())
        np.testing.assert_allclose(layer.moving_mean, mean, atol=0.02 * scale)
        np.testing.assert_allclose(layer.moving_variance, variance, atol=0.02 * scale)


def test_reestimate_changes_only_statistics(backbone, train):
    layers = [one for block in backbone.blocks for one in batchnorm_layers(block)]
    layers[1].trainable = False
    statistics = {id(v) for one in layers for v in one.non_trainable_variables[-2:]}
    before = {id(v): v.numpy() for v in backbone.model.variables}
    options = [(one.trainable, one.momentum, one.renorm) for one in layers]
    _reestimate(backbone, train)
    moved = {
        id(v)
        for v in backbone.model.variables
        if not np.array_equal(v.numpy(), before[id(v)])
    }
    assert moved == statistics
    assert options == [(one.trainable, one.momentum, one.renorm) for one in layers]
    assert not any("call" in vars(one) for one in layers)


def test_batchnorm_layers_include_nested_layers(train):
    inner = keras.Sequential([keras.layers.BatchNormalization()])
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    model = keras.Model(pixels, inner(pixels))
    blocks = zoo.graph.blocks.find_blocks(model, (zoo.Boundary("all", "output"),))
    reestimate(model, blocks, train, input_size_px=SIZE, seed=0)
    (whole,) = batches(train, input_size_px=SIZE, batch_size=len(train))
    mean = np.float64(whole[0]).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(inner.layers[0].moving_mean.numpy(), mean, rtol=1e-5)


@pytest.mark.parametrize(
    ("steps", "momentum"), [(16, 0.375), (100, 0.9), (10**6, 0.99), (4, 0.0)]
)
def test_quicken_follows_within_a_tenth_of_the_steps(backbone, steps, momentum):
    for block in backbone.blocks:
        for layer in batchnorm_layers(block):
            layer.momentum = 0.99
    quicken(backbone.blocks, steps=steps)
    for block in backbone.blocks:
        for layer in batchnorm_layers(block):
            assert layer.momentum == pytest.approx(momentum)
