"""Episodes train the last blocks alone, and settings have bounds."""

import dataclasses

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.methods.episodic.tail import Tail
from pipelines.methods.episodic.training import (
    METHODS,
    EpisodicLearner,
    EpisodicSetting,
)
from pipelines.methods.few_shot.features import FeatureSource


@pytest.mark.parametrize("method", METHODS)
def test_nothing_below_moves(digits, source, episode, method):
    base = FeatureSource(source, digits.inputs).base
    tail = Tail(base, digits.inputs, blocks=2)
    below = [np.array(v) for block in base.blocks[:-2] for v in block.variables]
    above = [np.array(v) for v in tail.variables]
    setting = EpisodicSetting(episode, method=method, rounds=3, rate=0.01)
    seen = digits.labels < 5
    learner = EpisodicLearner(tail, digits.labels, seen, setting)
    losses = [learner.round(number) for number in range(3)]
    assert np.isfinite(losses).all()
    after = [np.array(v) for block in base.blocks[:-2] for v in block.variables]
    for one, other in zip(below, after, strict=True):
        np.testing.assert_array_equal(one, other)
    moved = [np.abs(a - np.array(v)).max() for a, v in zip(above, tail.variables)]
    assert max(moved) > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("method", "maml"), ("rounds", 0), ("rate", 0.0), ("rate", 2.0)],
)
def test_settings_out_of_bounds_are_refused(episode, field, value):
    setting = dataclasses.replace(EpisodicSetting(episode), **{field: value})
    with pytest.raises(ConfigError, match=f"{field} is '?{value}'?; allowed"):
        setting.check()
