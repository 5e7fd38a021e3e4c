"""What is learned is what was shown, and the same in every run."""

import functools

import numpy as np
import pytest

from pipelines.errors import TrainingError
from pipelines.methods.generator.learn import draw, learn, pixels_of
from pipelines.methods.generator.settings import GeneratorSettings

SETTINGS = GeneratorSettings(
    steps=120, batch_size=16, learning_rate=2e-3, noise=4, filters=8
)


@pytest.fixture(scope="module")
def learned():
    return learn(*dark_and_bright(), classes=2, settings=SETTINGS)


def dark_and_bright():
    """Images of two classes: nearly black and nearly white."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    light = np.where(labels == 1, 215, 0)[:, None, None, None]
    return (light + rng.integers(0, 40, (40, 8, 8, 1))).astype(np.uint8), labels


def test_each_class_is_drawn_as_it_was(learned):
    wanted = np.array([0] * 300 + [1] * 10)  # more than are drawn at once
    drawn = draw(functools.partial(pixels_of, learned), wanted, SETTINGS)
    assert drawn.shape == (310, 8, 8, 1)
    assert drawn.dtype == np.uint8
    assert drawn[wanted == 0].mean() < 80
    assert drawn[wanted == 1].mean() > 175
    assert learned.losses[0] != learned.losses[-1] or len(learned.losses) == 1


def test_same_seed_learns_the_same(learned):
    again = learn(*dark_and_bright(), classes=2, settings=SETTINGS)
    for ours, theirs in zip(learned.drawer.weights, again.drawer.weights):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_rate_beyond_all_numbers_is_named():
    settings = GeneratorSettings(steps=40, learning_rate=1e30, noise=4, filters=4)
    with pytest.raises(TrainingError, match="Halve the learning rate"):
        learn(*dark_and_bright(), classes=2, settings=settings)
