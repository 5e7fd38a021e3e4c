"""A pass is as long as its budget allows, or ends early with advice."""

import keras
import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.data.splits import ImageArray, Split
from pipelines.errors import ConfigError
from pipelines.features.extract import Reader
from pipelines.runtime.clock import Clock
from pipelines.stages.evidence.read import read, with_other_views

CONFIG = RunConfig(data="builtin:digits", backbone="tiny_image", weights="none")
CONFIG.batch_size = 16


def images(name, count):
    pixels = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3))
    return Split(name, ImageArray(pixels.astype(np.uint8)), np.arange(count) % 2)


TRAIN, VALIDATION = images("train", 64), images("validation", 10)


@pytest.fixture(scope="module")
def base():
    return zoo.build("tiny_image", weights=None, input_size_px=16)


@pytest.fixture(scope="module")
def reader(base):
    mean = keras.layers.GlobalAveragePooling2D()(base.model.input)
    return Reader(keras.Model(base.model.input, [mean]))


def test_validation_follows_train(base, reader):
    vectors, rate = read(
        reader, base, [("a", 1)], TRAIN, VALIDATION, CONFIG, Clock(), views=1
    )
    pixels = np.concatenate([TRAIN.inputs.pixels, VALIDATION.inputs.pixels])
    expected = pixels.mean(axis=(1, 2))
    np.testing.assert_allclose(vectors["a", 1], expected, rtol=1e-3)
    assert rate > 0


@pytest.mark.parametrize("views", [1, 3])
def test_budget_below_one_pass_says_what_is_possible(base, reader, views):
    config = RunConfig(data="builtin:digits", batch_size=16, time_budget_seconds=1e-3)
    # Beyond the first batches, which build the graph.
    many = images("train", 240)
    seen = "240 examples, 3 views of each" if views == 3 else "240 examples take"
    with pytest.raises(ConfigError, match=rf"{seen}.*at most \d+ examples with \?"):
        read(reader, base, [("a", 1)], many, None, config, Clock(), views=views)


def test_other_views_follow_the_first(base, reader):
    first, _ = read(reader, base, [("a", 1)], TRAIN, None, CONFIG, Clock(), views=1)
    asked = (first, reader, base, TRAIN, CONFIG, Clock())
    assert with_other_views(*asked, views=1) is first
    three = with_other_views(*asked, views=3)["a", 1]
    assert three.shape == (3 * 64, 3)
    np.testing.assert_array_equal(three[:64], first["a", 1])
    assert not np.array_equal(three[64:128], first["a", 1])
    assert not np.array_equal(three[64:128], three[128:])
