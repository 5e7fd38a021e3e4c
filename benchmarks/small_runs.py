"""Whole runs on few images, from the start of a process to a published artifact.

`zoo train` with default settings, which checks, measures, trains, calibrates, exports
and proves, beside the Keras guide's recipe (`benchmarks.peers`), which ends with a
model in memory and exports nothing. Both are processes of their own on the same images
and splits of `builtin:mnist_5k`, and take turns; a seed draws other images. The ratio
divides our seconds by the guide's, for each seed.

Processor seconds, which say more where others compute at the same time, are those of
all processes of a run.

Command: python -m benchmarks.small_runs --sizes 200 700 2000 --seeds=5
Cost:    about 3, 6 and 15 minutes for a seed of 200, 700 and 2,000 images on two cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.spread import ratios, spread

OURS, GUIDE = "zootune", "keras guide"
BACKBONE = "efficientnet_lite0"

# What the guide's recipe takes besides itself is reading the same images.
_GUIDE = """
import json, os, sys
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import keras
import zoo
from benchmarks.peers import keras_guide
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef

reference, backbone, size_px, seed, into = sys.argv[1:]
splits = load(DatasetRef.parse(reference))

def pixels_of(split):
    read = batches(split, input_size_px=int(size_px), batch_size=64)
    return np.concatenate([pixels.numpy() for pixels, _ in read])

keras.utils.set_random_seed(int(seed))
classes = len(splits.info.class_names)
base = zoo.build(backbone, input_size_px=int(size_px))
train = splits.train
classify = keras_guide(base, pixels_of(train), train.labels, classes, int(seed))
found = classify(pixels_of(splits.test))
with open(into, "w") as stream:
    json.dump({"accuracy": float((found == splits.test.labels).mean())}, stream)
"""


@dataclasses.dataclass(frozen=True)
class Result:
    """A whole run; `stages` has the seconds of each stage, if they are reported.

    `seconds` go to the published artifact, or to the model in memory that the guide
    ends with, and `process_seconds` to the end of the process: of ours, with report,
    page and gallery.
    """

    seconds: float
    process_seconds: float
    processor_seconds: float
    accuracy: float
    stages: Mapping[str, float]
    peak_memory_bytes: int = 0
    kept: Sequence[str] = ()


def main() -> None:
    arguments = _arguments()
    for size in arguments.sizes:
        results: dict[str, list[Result]] = {name: [] for name in arguments.contenders}
        for seed in range(arguments.seeds):
            # Each goes first in every second seed.
            order = arguments.contenders[:: 1 if seed % 2 == 0 else -1]
            for name in order:
                result = _RUN[name](size, seed, arguments.size_px)
                results[name].append(result)
                print(f"{size} images, seed {seed}, {name}: {result}", flush=True)
        _print(size, results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 700, 2000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument(
        "--contenders", nargs="+", default=[OURS, GUIDE], choices=[OURS, GUIDE]
    )
    return parser.parse_args()


def _reference(size: int, seed: int) -> str:
    return f"builtin:mnist_5k?limit={size}&seed={seed}"


def _ours(size: int, seed: int, size_px: int) -> Result:
    with tempfile.TemporaryDirectory() as scratch:
        folder, started = Path(scratch) / "run", time.time()
        seconds, processor = timed(
            [
                *(sys.executable, "-m", "pipelines.cli", "train"),
                f"--config.data={_reference(size, seed)}",
                f"--config.backbone={BACKBONE}",
                f"--config.input_size_px={size_px}",
                f"--config.seed={seed}",
                f"--config.workdir={folder}",
            ]
        )
        report = json.loads((folder / "report.json").read_text())
        # A version appears by a rename, which is what last changed its folder.
        published = (folder / "artifact" / "1").stat().st_ctime - started
    return Result(
        published,
        seconds,
        processor,
        report["test"]["accuracy"],
        report["seconds"],
        report["peak_memory_bytes"],
        tuple(phase["name"] for phase in report["phases"] if phase["kept"]),
    )


def _guide(size: int, seed: int, size_px: int) -> Result:
    with tempfile.TemporaryDirectory() as scratch:
        into = Path(scratch) / "result.json"
        seconds, processor = timed(
            [
                *(sys.executable, "-c", _GUIDE, _reference(size, seed), BACKBONE),
                *(str(size_px), str(seed), str(into)),
            ]
        )
        return Result(
            seconds, seconds, processor, json.loads(into.read_text())["accuracy"], {}
        )


_RUN = {OURS: _ours, GUIDE: _guide}


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Seconds of a process, and of all processors in it and what it started.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    before, started = _children(), time.monotonic()
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return time.monotonic() - started, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _print(size: int, results: Mapping[str, Sequence[Result]]) -> None:
    print(f"\n{size} images")
    for name, runs in results.items():
        print(
            f"  {name}: {spread([run.seconds for run in runs])} s"
            f" (process {spread([run.process_seconds for run in runs])} s),"
            f" {spread([run.processor_seconds for run in runs])} processor s,"
            f" test accuracy {statistics.mean(run.accuracy for run in runs):.4f}"
        )
        for stage in runs[0].stages:
            seconds = [run.stages.get(stage, 0.0) for run in runs]
            print(f"    {stage}: {spread(seconds)} s")
    if not {OURS, GUIDE} <= set(results):
        return
    ours, guide = results[OURS], results[GUIDE]
    for measure in ("seconds", "process_seconds", "processor_seconds"):
        shares = ratios(
            [getattr(run, measure) for run in ours],
            [getattr(run, measure) for run in guide],
        )
        print(f"  {OURS} / {GUIDE}, {measure.replace('_', ' ')}: {spread(shares)}")
    gains = [run.accuracy - base.accuracy for run, base in zip(ours, guide)]
    wins, losses = (sum(sign * gain > 0 for gain in gains) for sign in (1, -1))
    print(
        f"  accuracy, paired: {statistics.mean(gains):+.4f} on average,"
        f" better {wins} times, worse {losses}, of {len(gains)}\n"
    )


if __name__ == "__main__":
    main()
