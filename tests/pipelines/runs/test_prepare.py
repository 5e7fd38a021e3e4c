"""What is known before training: the same each time, and nothing written."""

import keras
import numpy as np
import pytest

from pipelines.data.reference import DatasetRef
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock
from tests.support.tiny_stages import tiny_config

DATA = "builtin:digits?limit=100"


def _prepared(**fields):
    config = tiny_config(data=DATA, strategy="head_only", **fields)
    return prepare(config, DatasetRef.parse(DATA), Clock())


@pytest.fixture(scope="module")
def prepared():
    return _prepared()


def test_the_same_config_prepares_the_same(prepared):
    again = _prepared()
    assert again.plan == prepared.plan
    for value, wanted in zip(
        again.base.model.get_weights(), prepared.base.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(value, wanted)


def test_prepare_freezes_base_and_gives_its_probe(prepared):
    assert prepared.base.model.trainable_variables == []
    kernel = prepared.probe().kernel
    assert kernel.shape[1] == len(prepared.splits.info.class_names) == 10


def test_its_precision_stays_inside(prepared):
    mixed = _prepared(precision="mixed_bfloat16")
    assert mixed.plan.precision == "mixed_bfloat16"
    assert prepared.plan.precision == "float32"
    assert keras.config.dtype_policy().name == "float32"
