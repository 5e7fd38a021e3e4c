"""How many views there are of each training image, and in which order they come."""

import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.data.splits import ImageArray, Series, Split
from pipelines.features.views import are_worth_it, count_views, other_views


def _images(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 12, 12, 3), np.uint8)
    return Split("train", ImageArray(pixels), np.arange(count) % 2)


@pytest.fixture
def config():
    return RunConfig(input_size_px=12, batch_size=4)


def test_few_images_have_two_crops_more(config):
    assert count_views(config, _images(10)) == 3
    assert count_views(config, _images(1001)) == 1
    config.head.views = 2
    assert count_views(config, _images(1001)) == 2


def test_without_augmentation_there_is_one_view(config):
    config.augment.crop = 1.0
    assert count_views(config, _images(10)) == 1
    config.augment.flip = "horizontal"
    assert count_views(config, _images(10)) == 3
    config.augment.strength = "none"
    assert count_views(config, _images(10)) == 1


def test_series_and_other_poolings_have_one_view(config):
    series = Split("train", Series(np.zeros((4, 5, 1), np.float32)), np.zeros(4))
    assert count_views(config, series) == 1
    config.head.pooling = "max"
    assert count_views(config, _images(10)) == 1


@pytest.mark.parametrize(
    ("left_out", "per_class", "views", "worth_it"),
    [(0.96, 20, 0, False), (0.96, 19, 0, True), (0.94, 20, 0, True), (1, 99, 2, True)],
)
def test_views_are_worth_it_for_unsure_probes(
    config, left_out, per_class, views, worth_it
):
    config.head.views = views
    assert are_worth_it(config, left_out=left_out, per_class=per_class) is worth_it


def test_other_views_come_one_after_the_other(config):
    split = _images(6)
    read = other_views(split, config, views=3, input_size_px=12)
    pixels, labels = (np.concatenate(part) for part in zip(*read.as_numpy_iterator()))
    np.testing.assert_array_equal(labels, np.tile(split.labels, 2))
    first, second = pixels[:6], pixels[6:]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, split.inputs.pixels)
