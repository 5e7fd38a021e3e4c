"""What is known before training: the same each time, and nothing written."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.data.reference import DatasetRef
from pipelines.planning.backbones.choice import BackboneChoice
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


@pytest.fixture
def two_backbones(registered):
    """Two rows of the tiny network, which `backbone=auto` compares."""
    takes = zoo.get_spec("tiny_image").input
    for name, size in (("auto_a", 8), ("auto_b", 16)):
        registered(name, input=dataclasses.replace(takes, default_size_px=size))


def _auto_config():
    config = RunConfig(data=DATA, backbone="auto", strategy="head_only")
    config.auto.backbones = "auto_*"
    return config


def test_auto_prepares_as_the_backbone_it_chose(two_backbones):
    reference = DatasetRef.parse(DATA)
    chosen = prepare(_auto_config(), reference, Clock())
    choice = chosen.choice
    assert len(choice.compared) == 2
    named = RunConfig(
        data=DATA,
        backbone=choice.backbone,
        input_size_px=choice.input_size_px,
        strategy="head_only",
    )
    direct = prepare(named, reference, Clock())
    assert direct.choice is None
    assert chosen.plan.reason == f"{choice.reason}\n{direct.plan.reason}"
    assert chosen.plan.head == direct.plan.head
    np.testing.assert_array_equal(chosen.probe().kernel, direct.probe().kernel)


def test_a_choice_of_before_is_not_made_again(two_backbones):
    other = BackboneChoice("auto_b", 12, "It was chosen before.")
    clock = Clock()
    again = prepare(_auto_config(), DatasetRef.parse(DATA), clock, chosen_before=other)
    assert again.choice is other
    assert again.base.spec.name == "auto_b"
    assert again.base.input_size_px == 12
    assert "backbone" not in clock.seconds
