"""The cost of a whole run by the number of classes: seconds, memory, report size.

Small images, a few of each class, around a pattern of their class. Each number of
classes is trained by a process of its own: the head on `tiny_image` with random
weights, to a published artifact. All costs should grow with the number of classes, not
with its square.

Command: python -m benchmarks.many_classes --classes 1000 2000 4100 10000
Cost:    about 4 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

_SIDE, _CELL = 4, 4


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of a run, with its child processes, and its result on test."""

    cpu_seconds: float
    peak_mib: float
    report_bytes: int
    page_bytes: int
    artifact_bytes: int
    accuracy: float
    calibration_error: float


def write_images(path: Path, *, classes: int, per_class: int) -> None:
    """An npz file of noise around a pattern of coarse cells for each class."""
    rng = np.random.default_rng(0)
    labels = np.arange(per_class * classes) % classes
    patterns = rng.integers(0, 256, (classes, _SIDE, _SIDE, 3))
    pixels = patterns.repeat(_CELL, axis=1).repeat(_CELL, axis=2)[labels] * 0.8
    pixels += rng.normal(25, 10, pixels.shape)
    np.savez(path, x=np.clip(pixels, 0, 255).astype(np.uint8), y=labels)


def cost(data: Path, workdir: Path) -> Cost:
    """The cost of a run with default settings, except for one epoch of the head."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipelines.cli", "train"),
            f"--config.data=npz:{data}",
            f"--config.workdir={workdir}",
            "--config.backbone=tiny_image",
            "--config.weights=none",
            "--config.strategy=head_only",
            "--config.head.epochs=1",
            f"--config.input_size_px={_SIDE * _CELL}",
        ],
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"The run ended with {os.waitstatus_to_exitcode(status)}.")
    report = json.loads((workdir / "report.json").read_text())
    files = (workdir / "artifact").rglob("*")
    return Cost(
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=report["peak_memory_bytes"] / 2**20,
        report_bytes=(workdir / "report.json").stat().st_size,
        page_bytes=(workdir / "report.html").stat().st_size,
        artifact_bytes=sum(one.stat().st_size for one in files if one.is_file()),
        accuracy=report["test"]["accuracy"],
        calibration_error=report["test"]["calibration_error"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    numbers = [1000, 2000, 4100, 10_000]
    parser.add_argument("--classes", type=int, nargs="+", default=numbers)
    parser.add_argument("--per-class", type=int, default=4)
    arguments = parser.parse_args()
    print(
        "| classes | CPU seconds | peak memory, MiB | report.json, MB | report.html, MB"
        " | artifact, MB | test accuracy | calibration error |"
    )
    print(f"|{' --- |' * 8}")
    for classes in arguments.classes:
        with tempfile.TemporaryDirectory() as scratch:
            data = Path(scratch) / "data.npz"
            write_images(data, classes=classes, per_class=arguments.per_class)
            found = cost(data, Path(scratch) / "run")
        print(
            f"| {classes:,} | {found.cpu_seconds:.0f} | {found.peak_mib:,.0f}"
            f" | {found.report_bytes / 1e6:.2f} | {found.page_bytes / 1e6:.2f}"
            f" | {found.artifact_bytes / 1e6:.1f} | {found.accuracy:.4f}"
            f" | {found.calibration_error:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
