"""The devices that a run trains on, and what is refused on several."""

import json

import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.config import RunConfig
from pipelines.data.splits import ImageArray, Texts
from pipelines.errors import ConfigError
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.search import search
from pipelines.training.distributed.distribution import (
    ONE_DEVICE,
    Distribution,
    distribution_of,
    refuse_undoable,
)
from tests.support import tiny_modules


def test_auto_is_one_device_without_other_devices(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert distribution_of(RunConfig()) is ONE_DEVICE
    alone = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(alone))
    assert distribution_of(RunConfig()) is ONE_DEVICE


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="'workers', and the variable TF_CONFIG"):
        distribution_of(RunConfig(distribution="workers"))
    with pytest.raises(ConfigError, match="'mirrored', and this machine has one devi"):
        distribution_of(RunConfig(distribution="mirrored"))
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(ConfigError, match="TF_CONFIG cannot be used: it is not JSON"):
        distribution_of(RunConfig())
    assert distribution_of(RunConfig(distribution="none")) is ONE_DEVICE


def test_several_workers_refuse_work_of_one(monkeypatch):
    hosts = {"worker": ["localhost:1", "localhost:2"]}
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": hosts, "task": task}))
    with pytest.raises(ConfigError, match="names several workers. Name a backbone"):
        distribution_of(RunConfig(backbone="auto"))
    with pytest.raises(ConfigError, match="folds solves its heads on one machine"):
        distribution_of(RunConfig(folds=5))
    with pytest.raises(ConfigError, match="test_views solves its heads on one machi"):
        distribution_of(RunConfig(test_views="flip"))


def plan_and_base(strategy: str, base: zoo.Backbone | None = None):
    config = RunConfig(strategy=strategy)
    base = base or zoo.build("tiny_image", weights=None, input_size_px=16)
    names = [block.name for block in base.blocks]
    facts = TrainingFacts(
        examples=100,
        classes=10,
        block_names=names,
        trainable=True,
        pretrained=False,
        evidence=None,
    )
    return decide(facts, config), base


def test_a_plan_that_trains_batchnorm_is_refused():
    inputs = ImageArray(np.zeros((1, 16, 16, 3), np.uint8))
    one = tf.distribute.OneDeviceStrategy("/cpu:0")
    distribution = Distribution("mirrored", one)
    plan, base = plan_and_base("full")
    refuse_undoable(distribution, plan, base.blocks, inputs)
    plan, base = plan_and_base("scratch")
    refuse_undoable(ONE_DEVICE, plan, base.blocks, inputs)
    with pytest.raises(
        ConfigError, match="'scratch' trains BatchNorm.*'mirrored' cannot.*'frozen' or"
    ):
        refuse_undoable(distribution, plan, base.blocks, inputs)


def test_a_saved_model_that_trains_is_refused(tmp_path):
    module = tiny_modules.save_hub(tmp_path / "module", size=16)
    base = zoo.build("tfhub", handle=str(module), input_size_px=16)
    distribution = Distribution("workers", tf.distribute.OneDeviceStrategy("/cpu:0"))
    inputs = ImageArray(np.zeros((1, 16, 16, 3), np.uint8))
    plan, _ = plan_and_base("head_only", base)
    refuse_undoable(distribution, plan, base.blocks, inputs)
    plan, _ = plan_and_base("full", base)
    with pytest.raises(ConfigError, match="a SavedModel, whose graph.*'head_only'"):
        refuse_undoable(distribution, plan, base.blocks, inputs)


def test_texts_are_refused_on_a_tpu():
    tpu = Distribution("tpu", tf.distribute.OneDeviceStrategy("/cpu:0"))
    plan, base = plan_and_base("full")
    with pytest.raises(ConfigError, match="texts are strings, which a TPU cannot"):
        refuse_undoable(tpu, plan, base.blocks, Texts(np.array(["a"])))


def test_several_devices_measure_no_precision():
    assert Distribution("tpu").precision("auto") == "mixed_bfloat16"
    assert Distribution("tpu").precision("float32") == "float32"
    assert Distribution().precision("auto") == "auto"
    # What each of several workers would time could differ.
    assert Distribution("mirrored").precision("auto") == "float32"
    assert Distribution("workers").precision("mixed_bfloat16") == "mixed_bfloat16"


def test_a_search_refuses_to_be_distributed(tmp_path):
    config = RunConfig(
        data="builtin:digits", workdir=str(tmp_path / "s"), distribution="mirrored"
    )
    with pytest.raises(ConfigError, match="a search trains on one device"):
        search(config, trials=1)


def test_one_device_adds_nothing_to_the_record():
    assert ONE_DEVICE.replicas == 1
    assert ONE_DEVICE.described() == {}
