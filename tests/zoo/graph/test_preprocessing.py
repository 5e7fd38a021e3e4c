"""Pixels are normalised inside the model, exactly, whatever the precision."""

import keras
import numpy as np
import pytest

import zoo
from zoo.graph import preprocessing
from zoo.spec import (
    BGR_MEAN,
    CENTRED_127,
    IMAGENET_MEAN_STD,
    INSIDE,
    MINUS_ONE_TO_ONE,
)

CONVENTIONS = [BGR_MEAN, CENTRED_127, IMAGENET_MEAN_STD, INSIDE, MINUS_ONE_TO_ONE]
GREY_LEVELS = np.repeat(np.arange(256, dtype="uint8"), 3).reshape(1, 16, 16, 3)


def _by_name(convention):
    return convention.name


@pytest.fixture
def bfloat16_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=_by_name)
def test_a_pixel_becomes_what_the_convention_says(convention):
    red_green_blue = np.array([[[[10, 100, 200]]]], dtype="uint8")
    order = [2, 1, 0] if convention.channels == "bgr" else [0, 1, 2]
    expected = [
        (float(red_green_blue[0, 0, 0, channel]) - mean) / std
        for channel, mean, std in zip(order, convention.mean, convention.std)
    ]
    found = np.asarray(preprocessing.layer(convention)(red_green_blue))[0, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_every_number_type_gives_the_same(dtype):
    layer = preprocessing.layer(IMAGENET_MEAN_STD)
    expected = np.asarray(layer(GREY_LEVELS))
    found = np.asarray(layer(GREY_LEVELS.astype(dtype)))
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=_by_name)
def test_array_of_the_caller_is_unchanged(convention):
    """`keras.applications.*.preprocess_input` fails this."""
    pixels = GREY_LEVELS.astype("float32")
    before = pixels.copy()
    result = np.asarray(preprocessing.layer(convention)(pixels))
    np.testing.assert_array_equal(pixels, before)
    assert not np.shares_memory(result, pixels)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=_by_name)
def test_bfloat16_keeps_all_grey_levels_apart(convention, bfloat16_policy):
    result = preprocessing.layer(convention)(GREY_LEVELS)
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    levels = np.asarray(keras.ops.cast(result, "float32")).reshape(256, 3)
    assert [len(np.unique(channel)) for channel in levels.T] == [256, 256, 256]


def test_bfloat16_rounds_only_the_result(bfloat16_policy):
    """Fractions of a grey level, as augmentation makes them, are not rounded first."""
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 16, 16, 3)).astype("float32")
    found = preprocessing.layer(MINUS_ONE_TO_ONE)(pixels)
    expected = keras.ops.cast((pixels - 127.5) / 127.5, "bfloat16")
    assert bool(keras.ops.all(found == expected))


def test_bfloat16_arithmetic_would_merge_grey_levels():
    """Why the layer computes in float32: the same formula in bfloat16 loses levels."""
    mean, std = (
        keras.ops.cast(keras.ops.array(values), "bfloat16")
        for values in (IMAGENET_MEAN_STD.mean, IMAGENET_MEAN_STD.std)
    )
    rounded = (keras.ops.cast(GREY_LEVELS, "bfloat16") - mean) / std
    levels = np.asarray(keras.ops.cast(rounded, "float32")).reshape(256, 3)
    assert min(len(np.unique(channel)) for channel in levels.T) < 256


def test_backbone_in_bfloat16_keeps_grey_levels_apart(bfloat16_policy):
    model = zoo.build("tiny_image", weights=None, input_size_px=16).model
    normalized = keras.Model(model.input, model.get_layer("pixel_normalization").output)
    levels = keras.ops.cast(normalized(GREY_LEVELS), "float32")
    assert len(np.unique(np.asarray(levels)[..., 0])) == 256


@pytest.mark.parametrize("convention", CONVENTIONS, ids=_by_name)
def test_a_layer_survives_its_config(convention):
    layer = preprocessing.layer(convention)
    twin = preprocessing.PixelNormalization.from_config(layer.get_config())
    assert (twin.mean, twin.std) == (convention.mean, convention.std)
    assert twin.channels == convention.channels
    assert twin.name == layer.name
    assert twin.get_config() == layer.get_config()
    np.testing.assert_array_equal(twin(GREY_LEVELS), layer(GREY_LEVELS))


def test_a_saved_model_normalises_as_before(tmp_path):
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, preprocessing.layer(BGR_MEAN)(pixels))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    found, expected = (np.asarray(m(GREY_LEVELS)) for m in (loaded, model))
    np.testing.assert_array_equal(found, expected)
    layer = loaded.layers[-1]
    assert (layer.mean, layer.std) == (BGR_MEAN.mean, BGR_MEAN.std)
    assert layer.channels == "bgr"


def test_an_unknown_channel_order_is_refused():
    with pytest.raises(ValueError, match="'rgb' or 'bgr'. Received: 'grb'"):
        preprocessing.PixelNormalization(
            mean=(0.0,) * 3, std=(1.0,) * 3, channels="grb"
        )


class TestSeries:
    SERIES = np.random.default_rng(0).normal(40, 3, (4, 30, 2)).astype("float32")

    def test_channels_have_mean_0_and_deviation_1(self):
        found = np.asarray(preprocessing.series_layer()(self.SERIES))
        np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-5)
        np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-5)

    def test_units_make_no_difference(self):
        layer = preprocessing.series_layer()
        found = layer(self.SERIES * 1000 + 7)
        np.testing.assert_allclose(found, layer(self.SERIES), atol=1e-3)

    @pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
    def test_a_channel_that_does_not_change_is_zeros(self, value):
        series = self.SERIES.copy()
        series[1, :, 1] = value
        found = np.asarray(preprocessing.series_layer()(series))
        np.testing.assert_array_equal(found[1, :, 1], 0)
        assert np.ptp(found[1, :, 0]) > 1
