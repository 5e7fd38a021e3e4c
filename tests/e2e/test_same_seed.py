"""The same seed gives the same weights, bit for bit, in two processes."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, json, sys
import pipelines

workdir, seed, fields = sys.argv[1:]
run = pipelines.fine_tune(workdir=workdir, seed=int(seed), **json.loads(fields))
digest = hashlib.sha256()
for value in run.model.get_weights():
    digest.update(value.tobytes())
print(json.dumps({"weights": digest.hexdigest(), "test": run.report["test"]["loss"]}))
"""
RANDOM = {
    "data": "builtin:digits?limit=300",
    "backbone": "tiny_image",
    "weights": "none",
    "strategy": "scratch",
    "input_size_px": 16,
}
PRETRAINED = {
    "data": "builtin:mnist_5k?limit=200",
    "backbone": "efficientnet_lite0",
    "strategy": "partial",
    "input_size_px": 48,
}


def _train(workdir, seed: int, fields: dict) -> dict:
    command = [sys.executable, "-c", PROGRAM, str(workdir), str(seed)]
    ended = subprocess.run(
        [*command, json.dumps(fields)], capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("fields", [RANDOM, PRETRAINED], ids=["random", "pretrained"])
def test_two_processes_agree_and_another_seed_does_not(tmp_path, fields):
    first = _train(tmp_path / "first", 0, fields)
    second = _train(tmp_path / "second", 0, fields)
    other = _train(tmp_path / "other", 1, fields)
    assert first == second
    assert other["weights"] != first["weights"]
