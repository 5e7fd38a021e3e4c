"""The same seed gives the same weights and the same artifact in two processes."""

import json
import subprocess
import sys

import numpy as np
import pytest

import pipelines

PROGRAM = """
import hashlib, json, sys
from pathlib import Path
import pipelines
from pipelines.config import FinetuneConfig

workdir, seed, fields = sys.argv[1:]
run = pipelines.fine_tune(
    workdir=workdir,
    seed=int(seed),
    finetune=FinetuneConfig(epochs=3),
    **json.loads(fields),
)
digest = hashlib.sha256()
for value in run.model.get_weights():
    digest.update(value.tobytes())
manifest = json.loads((Path(run.artifact_dir) / "zoo_artifact.json").read_text())
said = {name: manifest[name] for name in ("digest", "files")}
said |= {"weights": digest.hexdigest(), "test": run.report["test"]["loss"]}
print(json.dumps(said))
"""
RANDOM = {
    "data": "builtin:digits?limit=300",
    "backbone": "tiny_image",
    "weights": "none",
    "strategy": "scratch",
    "input_size_px": 16,
}
STRICT = {**RANDOM, "deterministic": "strict"}
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
@pytest.mark.parametrize(
    "fields", [RANDOM, STRICT, PRETRAINED], ids=["random", "strict", "pretrained"]
)
def test_two_processes_agree(tmp_path, fields):
    first = _train(tmp_path / "first", 0, fields)
    second = _train(tmp_path / "second", 0, fields)
    assert first == second


def test_another_seed_gives_other_weights(tmp_path):
    def weights(seed):
        workdir = tmp_path / str(seed)
        run = pipelines.fine_tune(workdir=workdir, seed=seed, **RANDOM)
        return np.concatenate([value.ravel() for value in run.model.get_weights()])

    assert not np.array_equal(weights(0), weights(1))
