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

from tests.support import warm_python

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
    return warm_python.Popen(
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
def test_two_replicas_match_one_device_after_twenty_steps(trained, name):
    assert trained[name].values["replicas"] == 2
    assert trained[name].is_nearly(trained["none"])
    for metric in ("loss", "accuracy"):
        one, two = (trained[n].values["history"][metric] for n in ("none", name))
        assert len(one) == 4
        assert two == pytest.approx(one, abs=1e-5)


def test_replicas_accumulate_gradients_as_one_device(trained):
    alone, shared = (trained[n].values["accumulated"] for n in ("none", "mirrored"))
    assert shared == pytest.approx(alone, abs=TOLERANCE)
    plain = trained["none"].weights[-2].ravel()
    assert np.abs(plain - alone).max() > 10 * TOLERANCE


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
    assert found["all"] == [{"index": 0, "text": ""}, {"index": 1, "text": "x"}]


@pytest.mark.parametrize("name", ["0", "1"])
def test_all_workers_stop_at_deadline_of_the_chief(trained, name):
    assert trained[name].values["epochs_after_deadline"] == 1
