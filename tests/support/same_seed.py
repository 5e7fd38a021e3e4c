"""Runs in a process of their own, as values that two processes can be compared by."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipelines.runs.result import Run
from tests.support import warm_python

_PROGRAM = """
import json, subprocess, sys
import pipelines
from pipelines.config import FinetuneConfig
from tests.support import warm_python
from tests.support.same_seed import fingerprint

subprocess.Popen = warm_python.ProofPopen
workdir, *runs = sys.argv[1:]
for number, fields in enumerate(map(json.loads, runs)):
    finetune = FinetuneConfig(**fields.pop("finetune", {}))
    run = pipelines.fine_tune(
        workdir=f"{workdir}/{number}", finetune=finetune, **fields
    )
    print(json.dumps(fingerprint(run)))
"""


def fingerprint(run: Run) -> dict[str, Any]:
    """Digests of weights, artifact and predictions, and the loss on the test split."""
    weights = hashlib.sha256()
    for value in run.model.get_weights():
        weights.update(value.tobytes())
    manifest = json.loads((run.artifact_dir / "zoo_artifact.json").read_text())
    predictions = run.workdir / "predictions.jsonl"
    return {
        "digest": manifest["digest"],
        "files": manifest["files"],
        "weights": weights.hexdigest(),
        "test_loss": run.report["test"]["loss"],
        "predictions": hashlib.sha256(predictions.read_bytes()).hexdigest(),
    }


def trained_in_a_process(
    workdir: Path, *runs: dict[str, Any], warm: bool = False
) -> list[dict[str, Any]]:
    """The fingerprints of runs with these fields, one after the other.

    A `warm` process has TensorFlow imported, and hashes strings otherwise.
    """
    start = warm_python.run if warm else subprocess.run
    ended = start(
        [sys.executable, "-c", _PROGRAM, str(workdir), *map(json.dumps, runs)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines[-len(runs) :]]
