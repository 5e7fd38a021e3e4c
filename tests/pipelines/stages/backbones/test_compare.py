"""One backbone that fails is named, and stops no other."""

import numpy as np

from pipelines.planning.backbones.ranking import LeftOut
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.compare import (
    measure_backbone,
    nothing_measured,
    unpublished,
)
from tests.support.tiny_stages import tiny_config


def _measure(splits, name, size):
    return measure_backbone(
        name,
        size,
        splits.train,
        tiny_config(),
        Clock(),
        problem_of(splits),
        examples=60,
        folds=3,
    )


def test_a_backbone_is_measured_example_by_example(splits):
    measured = _measure(splits, "tiny_image", 16)
    assert measured.score.multiply_adds > 1000
    assert measured.quality.shape == (60,) == measured.groups.shape
    assert set(np.unique(measured.quality)) <= {0.0, 1.0}
    assert abs(measured.quality.mean() - measured.score.probe.accuracy) < 0.2
    again = _measure(splits, "tiny_image", 16)
    np.testing.assert_array_equal(again.groups, measured.groups)


def test_a_backbone_that_fails_is_left_out(splits):
    left_out = _measure(splits, "tiny_image", 1)
    assert isinstance(left_out, LeftOut)
    assert "cannot take images of 1 px" in left_out.reason


def test_where_all_fail_every_reason_is_named():
    error = nothing_measured([LeftOut("a", "no op"), *unpublished(("b",))])
    assert "  a: no op\n  b: Nobody publishes weights" in str(error)
    assert "config.auto.backbones" in str(error)
