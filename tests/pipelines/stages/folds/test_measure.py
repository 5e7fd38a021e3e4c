"""Pooled splits are read once, and of many more what the head reads."""

import keras
import numpy as np
import pytest

from pipelines.data.folds import pooled
from pipelines.errors import ConfigError
from pipelines.runtime.clock import Clock
from pipelines.stages import measure
from pipelines.stages.base import freeze_base
from pipelines.stages.folds.measure import (
    measure_pooled,
    require_memory,
    with_every_example,
)
from pipelines.stages.obtain import obtain
from pipelines.stages.plan import choose_plan
from tests.support.tiny_stages import IMAGES, tiny_config


def _base():
    config = tiny_config(strategy="head_only", folds=3)
    keras.utils.set_random_seed(0)
    return freeze_base(obtain(config, IMAGES)), config


def _measured(splits):
    base, config = _base()
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


def test_with_every_example_reads_the_rest(splits, monkeypatch):
    whole, (base, config) = _measured(splits), _base()
    monkeypatch.setattr(measure, "MOST_READ", 60)
    some = measure_pooled(base, pooled(splits), config, Clock())
    assert len(some.labels) == 60 < len(whole.labels)
    head = choose_plan(base, pooled(splits), some, config).head
    every = with_every_example(base, pooled(splits), some, head, config, Clock())
    np.testing.assert_array_equal(every.labels, whole.labels)
    assert every.views == some.views > 1
    for name in head.reads:
        key = name, head.grid
        np.testing.assert_array_equal(every.validation[key], whole.validation[key])
        assert len(every.train[key]) == every.views * len(whole.labels)
    assert with_every_example(base, pooled(splits), every, head, config, None) is every


def test_require_memory_names_what_fits(splits):
    base, config = _base()
    measured = measure_pooled(base, pooled(splits), config, Clock())
    head = choose_plan(base, pooled(splits), measured, config).head
    width = sum(measured.train[name, head.grid].shape[1] for name in head.reads)
    memory = 2 * 70 * 12 * width * measured.views
    require_memory(measured, head, examples=70, memory_bytes=memory)
    message = rf"all 71 examples .* reads {width} numbers .* at most 70 examples"
    with pytest.raises(ConfigError, match=message):
        require_memory(measured, head, examples=71, memory_bytes=memory)
