"""What several devices make of the same steps; see `distributed_steps` for the steps.

All of it runs in processes of their own, one strategy each.
"""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

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

SCRIPT = Path(__file__).with_name("distributed_steps.py")
TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Trained:
    weights: list[np.ndarray]
    values: dict

    def is_nearly(self, other: "Trained") -> bool:
        pairs = list(zip(self.weights, other.weights, strict=True))
        assert pairs
        return all(np.abs(a - b).max() < TOLERANCE for a, b in pairs)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def start(kind: str, path: Path, tf_config: object = None) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    if tf_config is not None:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), kind, str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen, path: Path) -> Trained:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    with np.load(path) as found:
        weights = [found[name] for name in found.files]
    return Trained(weights, json.loads(out.splitlines()[-1]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, Trained]:
    """By one device, by two of a process, and by two workers; all at the same time."""
    folder = tmp_path_factory.mktemp("distributed")
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    paths = {name: folder / f"{name}.npz" for name in ("none", "mirrored", "0", "1")}
    started = {name: start(name, paths[name]) for name in ("none", "mirrored")}
    for index in (0, 1):
        task = {"type": "worker", "index": index}
        about = {"cluster": {"worker": addresses}, "task": task}
        started[str(index)] = start("workers", paths[str(index)], about)
    return {name: result(one, paths[name]) for name, one in started.items()}


@pytest.mark.parametrize("name", ["mirrored", "0", "1"])
def test_twenty_steps_in_two_replicas_are_those_of_one_device(trained, name):
    assert trained[name].values["replicas"] == 2
    assert trained[name].is_nearly(trained["none"])
    for metric in ("loss", "accuracy"):
        one, two = (trained[n].values["history"][metric] for n in ("none", name))
        assert len(one) == 4
        assert two == pytest.approx(one, abs=1e-5)


def test_the_tolerance_tells_models_apart(trained):
    one = trained["none"]
    moved = [one.weights[0] + 2 * TOLERANCE, *one.weights[1:]]
    assert not Trained(moved, {}).is_nearly(one)


def test_all_workers_have_the_same_bits(trained):
    for mine, theirs in zip(trained["0"].weights, trained["1"].weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_several_devices_cannot_do_is_refused(trained):
    found = trained["mirrored"].values
    assert "batch_size is 15, and each of 2 replicas" in found["batch_size"]
    assert "set config.batch_size to 14 or 16" in found["batch_size"]
    assert "find_learning_rate tries rates on one device" in found["rate"]
    assert "Use 'mixed_bfloat16'" in found["float16"]
    assert "config.profile is of steps on one device" in found["profile"]


def test_the_step_of_a_tpu_compiles_in_bfloat16(trained):
    found = trained["none"].values
    assert found["kinds"] == ["float32"]
    assert 1 < found["loss"] < 10
    assert "no TPU was found as 'local'" in found["absent"]
    assert "set TPU_NAME" in found["absent"]


@pytest.mark.parametrize("name", ["0", "1"])
def test_workers_that_differ_are_named_with_what_differs(trained, name):
    found = trained[name].values
    assert "the chief (127.0.0.1:" in found["config"]
    assert "differ in config.seed (0 and 1)" in found["config"]
    assert 'differ in code ("0" and "1")' in found["code"]
    assert "differ in data.fingerprint (" in found["data"]
    assert "Give all workers the same package, config and data" in found["data"]


@pytest.mark.parametrize("name", ["0", "1"])
def test_workers_get_what_the_chief_has(trained, name):
    found = trained[name].values
    assert found["checkpoint"] == [{"place": 3}, [[1.5] * 3] * 2, []]
    assert found["nothing"]
    assert found["shared"] == [1.0, 1.0, 1.0]
    assert found["result"] == {"by": 0}
    assert found["refusal"].endswith("no room at 0")
    assert found["all"] == [{"index": 0, "text": ""}, {"index": 1, "text": "x"}]


@pytest.mark.parametrize("name", ["0", "1"])
def test_all_workers_stop_when_the_chiefs_time_is_over(trained, name):
    assert trained[name].values["epochs_after_deadline"] == 1


def test_auto_is_one_device_where_there_is_nothing_else(monkeypatch):
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
