"""The shapes of what is drawn and judged."""

import numpy as np

from pipelines.methods.generator.networks import (
    Shape,
    drawer_of,
    judge_of,
)
from pipelines.methods.generator.settings import GeneratorSettings

SETTINGS = GeneratorSettings(noise=5, filters=4)


def test_drawer_and_judge_fit_together():
    shape = Shape(size_px=12, channels=3, classes=2)
    labels = np.eye(2, dtype=np.float32)[[0, 1, 1]]
    noise = np.random.default_rng(0).standard_normal((3, 5), np.float32)
    drawn = drawer_of(shape, SETTINGS)([noise, labels])
    assert drawn.shape == (3, 12, 12, 3)
    assert abs(drawn.numpy()).max() <= 1
    assert judge_of(shape, SETTINGS)([drawn.numpy(), labels]).shape == (3, 1)


def test_judge_reads_the_class():
    shape = Shape(size_px=8, channels=1, classes=2)
    image = np.ones((1, 8, 8, 1), np.float32)
    judge = judge_of(shape, SETTINGS)
    first, second = (judge([image, row[np.newaxis]]) for row in np.eye(2))
    assert float(first[0, 0]) != float(second[0, 0])
