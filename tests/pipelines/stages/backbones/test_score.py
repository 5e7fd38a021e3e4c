"""The worth of a backbone on data, beside that of thumbnails."""

import numpy as np
import pytest

from pipelines.data.splits import ImageArray, Series, Split
from pipelines.problems.single_label import SingleLabel
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.score import score_backbone, thumbnail_accuracy
from tests.support.tiny_stages import tiny_config

TWO = SingleLabel(("dark", "bright"))


@pytest.fixture(scope="module")
def bright_and_dark():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    pixels = rng.integers(0, 128, (40, 16, 16, 3)) + 128 * labels[:, None, None, None]
    return Split("train", ImageArray(pixels.astype(np.uint8)), labels)


def test_score_backbone_measures_some_of_the_examples(bright_and_dark):
    measured = score_backbone(
        bright_and_dark, tiny_config(), Clock(), examples=20, problem=TWO
    )
    score = measured.score
    assert not len(measured.quality)
    assert (score.backbone, score.examples, score.classes) == ("tiny_image", 20, 2)
    assert score.input_size_px == 16
    assert score.parameters > 1000
    assert score.probe.accuracy > 0.9
    assert score.probe.quality >= score.last.quality
    assert score.leep is None  # random weights know no classes
    assert min(score.examples_per_second, score.seconds) > 0


def test_thumbnails_tell_bright_from_dark(bright_and_dark):
    assert thumbnail_accuracy(bright_and_dark, TWO, examples=20, seed=0) == 1.0


def test_there_are_no_thumbnails_of_series():
    series = Split("train", Series(np.zeros((4, 5, 1), np.float32)), np.arange(4) % 2)
    assert thumbnail_accuracy(series, TWO, examples=4, seed=0) is None
