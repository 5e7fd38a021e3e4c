"""Pooled splits are read once, and refused where they are too many for that."""

import numpy as np
import pytest

from pipelines.data.folds import pooled
from pipelines.errors import ConfigError
from pipelines.runtime.clock import Clock
from pipelines.stages import measure
from pipelines.stages.base import freeze_base
from pipelines.stages.folds.measure import measure_pooled
from pipelines.stages.obtain import obtain
from tests.support.tiny_stages import IMAGES, tiny_config


def _measured(splits):
    config = tiny_config(strategy="head_only", folds=3)
    base = freeze_base(obtain(config, IMAGES))
    return measure_pooled(base, pooled(splits), config, Clock())


def test_measure_pooled_knows_train_as_validation(splits):
    measured = _measured(splits)
    assert measured.is_whole
    count = len(splits.train) + len(splits.validation)
    assert len(measured.labels) == count
    rows = measured.known.rows
    for key, values in rows["validation"].items():
        assert values is rows["train"][key]
        assert len(values) == count
        np.testing.assert_array_equal(measured.train[key][:count], values)


def test_measure_pooled_refuses_more_than_it_reads(splits, monkeypatch):
    monkeypatch.setattr(measure, "MOST_READ", 100)
    with pytest.raises(ConfigError, match="100 are read at once. With that many"):
        _measured(splits)
