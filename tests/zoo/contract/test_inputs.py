"""What goes in and comes out: pixels, tokens, series, batches, seeds and precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.zoo.contract.subjects import checksums, differ, run

# bfloat16 has 8 bits, so one rounding errs by up to 0.4 %; those of several hundred
# layers add up. Relative to the range of the features, and to their deviation.
LARGEST_ERROR_OF_BFLOAT16 = 0.1
TYPICAL_ERROR_OF_BFLOAT16 = 0.1


def _require(subject, modality):
    if subject.spec.modality != modality:
        pytest.skip(f"it takes no {modality}")


def test_pixels_are_normalised_as_the_spec_says(subject):
    _require(subject, "image")
    layer = subject.model.get_layer("pixel_normalization")
    convention = subject.spec.input.pixels
    assert (layer.mean, layer.std) == (convention.mean, convention.std)
    assert layer.channels == convention.channels
    assert layer in subject.backbone.blocks[0].layers


@pytest.mark.family
def test_whole_and_floating_pixels_give_the_same(subject):
    _require(subject, "image")
    assert subject.inputs.dtype == tf.uint8
    found = run(subject.model, tf.cast(subject.inputs, tf.float32))
    np.testing.assert_array_equal(found, subject.features)


def test_tokens_are_known_ids_and_padding_zero(subject):
    _require(subject, "text")
    if subject.spec.input.tokenizer is None:
        pytest.skip("the network itself reads the text")
    ids = _ids(subject)
    assert ids.shape == (len(subject.inputs), subject.backbone.input_length)
    assert ids.dtype == np.int32
    assert ids.min() == 0
    assert 0 < ids.max() < subject.spec.token_ids
    for row in ids:
        tokens = np.count_nonzero(row)
        assert tokens >= 1
        assert not row[tokens:].any(), "there is padding between tokens"


def test_features_are_zero_where_there_is_no_token(subject):
    _require(subject, "text")
    if subject.features.ndim == 2:
        pytest.skip("it gives one vector for a whole text")
    is_token = _ids(subject) != 0
    assert not is_token.all()
    np.testing.assert_array_equal(subject.features.any(axis=-1), is_token)


def _ids(subject):
    """What the tokenizer gives, the only layer that reads the text itself."""
    text = subject.model.input
    (tokenizer,) = {
        node.operation
        for nodes in subject.model._nodes_by_depth.values()
        for node in nodes
        if any(tensor is text for tensor in node.input_tensors)
    }
    found = tokenizer(subject.inputs)
    if isinstance(found, dict):  # as KerasHub has it, with the mask beside the ids
        found = found["token_ids"] * found["padding_mask"]
    return found.numpy()


def test_series_take_the_channels_of_the_data(subject, request):
    _require(subject, "series")
    backbone = subject.build(channels=2)
    length = backbone.input_length
    assert backbone.model.input_shape == (None, length, 2)
    series = np.random.default_rng(0).normal(size=(2, length, 2))
    features = run(backbone.model, tf.constant(series))
    assert len(features) == 2
    assert features.shape[-1] == backbone.spec.feature_width


@pytest.mark.family
def test_examples_are_told_apart(subject):
    """Features that hardly depend on what goes in would pass every other test."""
    apart = np.abs(np.diff(subject.features, axis=0)).reshape(
        len(subject.features) - 1, -1
    )
    assert (apart.max(axis=1) > 1e-3 * np.ptp(subject.features)).all()


@pytest.mark.family
def test_a_batch_gives_what_its_examples_give_alone(subject):
    for rows in (slice(0, 1), slice(1, 4)):
        found = run(subject.model, subject.inputs[rows])
        expected = subject.features[rows]
        scale = np.ptp(subject.features)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.family
def test_the_same_input_gives_the_same_bits(subject):
    found = run(subject.model, subject.inputs)
    np.testing.assert_array_equal(found, subject.features)


@pytest.mark.family
def test_the_same_seed_gives_the_same_weights(subject, twin):
    """Also under another precision, whose weights are float32 too."""
    assert checksums(twin) == subject.initial
    assert len(subject.initial) > 0


@pytest.mark.family
def test_mixed_precision_gives_nearly_the_same(subject, twin):
    """A module of others computes as it was saved, and only its output is cast."""
    assert all(w.dtype in ("float32", "int32", "int64") for w in twin.model.weights)
    for weight, other in zip(twin.model.weights, subject.model.weights):
        weight.assign(other)
    outputs = twin.model(subject.inputs, training=False)
    assert outputs.dtype == tf.bfloat16
    found = tf.cast(outputs, tf.float32).numpy()
    assert np.isfinite(found).all()
    typical = np.sqrt(np.square(found - subject.features).mean())
    assert differ(found, subject.features) < LARGEST_ERROR_OF_BFLOAT16
    assert typical < TYPICAL_ERROR_OF_BFLOAT16 * subject.features.std()
    assert keras.config.dtype_policy().name == "float32"
