"""The largest memory of a run, by how many images it has.

Small PNG files in two classes, each with pixels of its own, so that none is a
duplicate. Each number of them is trained by a process of its own: `tiny_image` from
random weights, all blocks, one epoch, with decoded pixels kept up to 16 MiB, which all
of them exceed. The run checks every file before and evaluates every split after.

Command: python -m benchmarks.memory --examples 10000 200000
Cost:    about 1 minute for 10,000 images on two CPU cores, and 8 GiB of free disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

_SIZE_PX = 32
_CLASSES = ("dark", "light")


def write_images(folder: Path, count: int) -> None:
    """Noise around two greys, the classes."""
    rng = np.random.default_rng(0)
    for name in _CLASSES:
        (folder / name).mkdir(parents=True)
    for i in range(count):
        kind = i % 2
        noise = rng.integers(-60, 60, (_SIZE_PX, _SIZE_PX, 3))
        pixels = np.clip(80 + 90 * kind + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(
            folder / _CLASSES[kind] / f"{i}.png", compress_level=1
        )


def peak_mib(data: Path, workdir: Path) -> tuple[float, float]:
    """The largest memory of a run in MiB, and its seconds."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pipelines.cli", "train"),
            f"--config.data=dir:{data}",
            f"--config.workdir={workdir}",
            "--config.backbone=tiny_image",
            "--config.weights=none",
            "--config.strategy=scratch",
            "--config.input_size_px=32",
            "--config.batch_size=256",
            "--config.finetune.epochs=1",
            "--config.input.cache_mib=16",
        ],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    report = json.loads((workdir / "report.json").read_text())
    return report["peak_memory_bytes"] / 2**20, report["seconds"]["total"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, nargs="+", default=[10_000, 200_000])
    arguments = parser.parse_args()
    print("| images | peak memory, MiB | ratio | seconds |")
    print("| --- | --- | --- | --- |")
    first = None
    for count in arguments.examples:
        with tempfile.TemporaryDirectory() as scratch:
            write_images(Path(scratch) / "images", count)
            peak, seconds = peak_mib(Path(scratch) / "images", Path(scratch) / "run")
        first = first or peak
        print(
            f"| {count:,} | {peak:,.0f} | {peak / first:.2f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
