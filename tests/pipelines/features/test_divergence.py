"""What BatchNorm sees of the data, against what it kept of the source."""

import dataclasses
import types
import weakref

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import zoo
from pipelines.config import RunConfig
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageArray, Split, first
from pipelines.features import divergence
from pipelines.features.divergence import block_divergences
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.measure import measure
from zoo.graph.blocks import batchnorm_inputs


@pytest.fixture(scope="module")
def splits():
    return load(DatasetRef.parse("builtin:digits?limit=120"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small network with weights from a file, so that its statistics are read."""
    path = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    keras.utils.set_random_seed(0)
    zoo.build("tiny_image", weights=None).model.save_weights(path)
    return lambda: freeze_base(zoo.build("tiny_image", weights=path, input_size_px=32))


def _inputs(base, split):
    """Every BatchNorm layer with what it reads of a split, `[positions, channels]`."""
    found = [
        one for block in base.blocks for one in batchnorm_inputs(base.model, block)
    ]
    model = keras.Model(base.model.input, [tensor for _, tensor in found])
    pixels = split.inputs.pixels
    resized = keras.ops.image.resize(pixels, (32, 32), antialias=True)
    read = model(np.round(np.array(resized)), training=False)
    return [
        (layer, np.array(x).reshape(-1, x.shape[-1]))
        for (layer, _), x in zip(found, read)
    ]


def test_divergence_equals_that_of_two_normals(trained, splits):
    base, some = trained(), first(splits.train, 40)
    found = {one.block: one for one in block_divergences(base, some)}
    layers = _inputs(base, some)
    assert sum(one.channels for one in found.values()) == sum(
        x.shape[1] for _, x in layers
    )
    layer, x = layers[0]
    variance = np.array(layer.moving_variance) + layer.epsilon
    ours = x.var(axis=0) + layer.epsilon
    gap = np.square(x.mean(axis=0) - np.array(layer.moving_mean))
    expected = 0.5 * (np.log(variance / ours) + (ours + gap) / variance - 1)
    stem = found[base.blocks[0].name]
    assert stem.channels == len(expected)
    assert stem.divergence == pytest.approx(expected.mean(), rel=0.02)
    assert stem.median == pytest.approx(np.median(expected), rel=0.02)


def test_divergence_from_its_own_data_is_small(trained, splits):
    base, some = trained(), first(splits.train, 40)
    before = block_divergences(base, some)
    # One layer changes what the next one reads, so from input to output.
    for at in range(len(_inputs(base, some))):
        layer, x = _inputs(base, some)[at]
        layer.moving_mean.assign(x.mean(axis=0))
        layer.moving_variance.assign(x.var(axis=0))
    after = block_divergences(base, some)
    assert len(after) == len(before) > 2
    for one, other in zip(after, before):
        assert one.divergence < 0.02 < other.divergence


@pytest.mark.parametrize(
    ("size_px", "rows"), [(None, 64), (32, 64), (128, 64), (224, 20), (4096, 1)]
)
def test_large_examples_are_read_in_smaller_batches(size_px, rows):
    assert divergence._rows(types.SimpleNamespace(input_size_px=size_px)) == rows


def test_maps_are_freed_after_their_last_use(trained, splits, monkeypatch):
    """Those of all layers together are what Keras holds until the end."""
    base, some = trained(), first(splits.train, 8)
    held, most = [], []
    outputs = divergence._outputs

    def watched(node, values):
        found = outputs(node, values)
        held.extend(weakref.ref(one) for one in found.values())
        most.append(sum(one() is not None for one in held))
        return found

    monkeypatch.setattr(divergence, "_outputs", watched)
    block_divergences(base, some)
    assert len(most) > 10
    assert max(most) <= 4


def test_random_weights_have_no_divergence(splits):
    base = freeze_base(zoo.build("tiny_image", weights=None, input_size_px=32))
    assert block_divergences(base, first(splits.train, 20)) == ()


def test_measuring_divergence_changes_nothing(trained, splits):
    base = trained()
    before = [weight.copy() for weight in base.model.get_weights()]
    config = RunConfig(data="builtin:digits", backbone="tiny_image")
    evidence = measure(base, splits, config, Clock()).evidence
    assert [one.block for one in evidence.divergences] == [
        block.name for block in base.blocks if batchnorm_inputs(base.model, block)
    ]
    assert evidence.source_answers is None
    for weight, other in zip(base.model.get_weights(), before):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.weights
def test_real_weights_have_divergence_and_source_answers(splits):
    base = freeze_base(zoo.build("efficientnet_lite0", input_size_px=32))
    small = dataclasses.replace(splits, train=first(splits.train, 40))
    config = RunConfig(data="builtin:digits", backbone="efficientnet_lite0")
    evidence = measure(base, small, config, Clock()).evidence
    assert len(evidence.divergences) == len(base.blocks)
    assert all(one.divergence > one.median > 0 for one in evidence.divergences)
    source = evidence.source_answers
    assert source.classes == 1000
    assert 1 / 1000 < source.confidence < 1
    assert 1 < source.entropy < 1000
    assert 1 < source.spread < 1000


@pytest.mark.weights
def test_photographs_are_nearer_to_imagenet_than_digits(splits):
    """Crops of two photographs that scikit-learn carries, and digits, at 96 px."""
    base = freeze_base(zoo.build("efficientnet_lite0", input_size_px=96))
    rng = np.random.default_rng(0)
    photos = load_sample_images().images
    corners = rng.integers(0, 427 - 192, (32, 2))
    crops = [
        photos[i % 2][y : y + 192, x : x + 192] for i, (y, x) in enumerate(corners)
    ]
    images = Split("train", ImageArray(np.stack(crops)), np.zeros(32, np.int64))
    digits = first(splits.train, 32)
    near, far = (block_divergences(base, x) for x in (images, digits))
    assert len(near) == len(far) == len(base.blocks)
    for photo, digit in zip(near, far):
        assert 0 < photo.median < digit.median, photo.block
        assert photo.divergence < digit.divergence, photo.block
