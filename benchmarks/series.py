"""Classifiers of series beside aeon's MiniRocket, on five small public sets.

`accuracy` prepares each set as a run does, with every seed, and answers the published
test split: the default backbone, or others with `--backbone`, which are trained.
`runs` measures whole runs, from the start of a process to the published artifact, and
`reference` fits aeon's classifier, in an interpreter that has it (`pip install aeon`).

Data: `python -m benchmarks.series_data FOLDER`.

Command: python -m benchmarks.series accuracy FOLDER
         python -m benchmarks.series runs FOLDER
         PYTHON_WITH_AEON benchmarks/series.py reference FOLDER
Cost:    four minutes of one core; two; one and a half, most to compile.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SETS = ("GunPoint", "Coffee", "Trace", "BasicMotions", "PigCVP")
SEEDS = range(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("accuracy", "runs", "reference"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--sets", nargs="*", default=SETS)
    options = parser.parse_args()
    for name in options.sets:
        data = options.folder / f"{name}.npz"
        if options.part == "runs":
            print(name, *_run(data, options.backbone), flush=True)
            continue
        answer = _ours if options.part == "accuracy" else _reference
        started = _cpu_seconds()
        right = [answer(data, seed, options.backbone) for seed in range(options.seeds)]
        seconds = (_cpu_seconds() - started) / options.seeds
        shown = " ".join(f"{share:.4f}" for share in right)
        print(
            f"{name}: {np.mean(right):.4f} ({shown}), {seconds:.1f} CPU s a seed",
            flush=True,
        )


def _ours(data: Path, seed: int, backbone: str) -> float:
    """The accuracy on test of what a run would export."""
    from pipelines.config import RunConfig, checked
    from pipelines.data.reference import DatasetRef
    from pipelines.runs.prepare import prepare
    from pipelines.runtime.clock import Clock
    from pipelines.stages.finetune import fine_tune
    from pipelines.stages.head import add_head
    from pipelines.stages.outputs import outputs
    from pipelines.training.phases.workspace import Workspace

    with tempfile.TemporaryDirectory() as scratch:
        config = checked(
            RunConfig(
                data=f"npz:{data}",
                backbone=backbone,
                seed=seed,
                precision="float32",
                workdir=scratch,
            )
        )
        prepared = prepare(config, DatasetRef.parse(config.data), Clock())
        model = add_head(prepared.base, **prepared.head())
        if prepared.plan.phases:
            history = Path(scratch) / "history.jsonl"
            workspace = Workspace(history, Path(scratch) / "tensorboard")
            fine_tune(model, prepared.splits, prepared.plan, workspace)
        (test,) = outputs(
            model,
            [prepared.splits.test],
            batch_size=config.batch_size,
            known=prepared.measured.known,
        )
    return float((test.logits.argmax(axis=1) == test.labels).mean())


def _reference(data: Path, seed: int, _: str) -> float:
    from aeon.classification.convolution_based import MiniRocketClassifier

    with np.load(data) as arrays:
        x, y, split = arrays["x"], arrays["y"], arrays["split"]
    series = x.transpose(0, 2, 1).astype(np.float64)
    is_train = split == "train"
    model = MiniRocketClassifier(random_state=seed).fit(series[is_train], y[is_train])
    return float((model.predict(series[~is_train]) == y[~is_train]).mean())


def _run(data: Path, backbone: str) -> Iterator[str]:
    """Accuracy, wall seconds and CPU seconds of a whole run in a new process."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pipelines.cli", "train"]
        flags = [f"--config.data=npz:{data}", f"--config.workdir={scratch}/run"]
        chosen = [f"--config.backbone={backbone}"] if backbone else []
        started, before = time.monotonic(), _cpu_seconds(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, *flags, *chosen], check=True, capture_output=True)
        wall = time.monotonic() - started
        cpu = _cpu_seconds(resource.RUSAGE_CHILDREN) - before
        report: dict[str, Any] = json.loads(
            (Path(scratch) / "run" / "report.json").read_text()
        )
    yield f"{report['test']['accuracy']:.4f}"
    yield f"{wall:.0f} s"
    yield f"{cpu:.0f} CPU s"


def _cpu_seconds(of: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(of)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
