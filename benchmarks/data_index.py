"""An index of a million image files: seconds and memory to build, split and iterate it.

A few thousand real images, and a million names for them (hard links), as a folder of
class folders or as a table. Contents are hashed when data are checked, which costs as
much as decoding them and is measured by itself. Here every name gets its own hash, and
one in a hundred the hash of its neighbour, so that there are duplicates to keep
together.

Command: python -m benchmarks.data index [--kind dir] [--files 1000000]
Cost:    two minutes on two CPU cores, most of it to make the links; 5 GB of memory at
         most goes to the file system's cache.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_IMAGES = 4000
_CLASSES = 100
_BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", choices=("dir", "csv"), default="dir")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=200, help="to iterate over")
    parser.add_argument("--folder", type=Path, help="made before; kept")
    parser.add_argument("--reference", help=argparse.SUPPRESS)


def measure(arguments: argparse.Namespace) -> None:
    if arguments.reference:
        _measure_index(arguments)
        return
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="index-"))
    try:
        reference = _make(folder, arguments.kind, arguments.files)
        # A process of its own, so that its peak of memory is the index alone.
        command = [sys.executable, "-m", "benchmarks.data", "index"]
        command += ["--reference", reference, "--batches", str(arguments.batches)]
        subprocess.run(command, check=True)
    finally:
        if not arguments.folder:
            shutil.rmtree(folder)


def _make(folder: Path, kind: str, files: int) -> str:
    """The reference of a folder or a table with that many names of images."""
    table = folder / "table.csv"
    if not table.exists():
        _link(folder, table, files)
    return f"csv:{table}" if kind == "csv" else f"dir:{folder / 'photos'}"


def _link(folder: Path, table: Path, files: int) -> None:
    import numpy as np
    from PIL import Image

    started = time.perf_counter()
    originals = folder / "originals"
    originals.mkdir(parents=True)
    for i in range(_IMAGES):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(originals / f"{i}.jpg")
    names = [f"photos/class-{k:03}" for k in range(_CLASSES)]
    for name in names:
        (folder / name).mkdir(parents=True)
    with table.open("w", encoding="utf-8") as rows:
        rows.write("image,label\n")
        for i in range(files):
            name = f"{names[i % _CLASSES]}/photo-of-something-{i:07}.jpg"
            os.link(originals / f"{i % _IMAGES}.jpg", folder / name)
            rows.write(f"{name},{i % _CLASSES}\n")
    print(f"made {files} names in {time.perf_counter() - started:.0f} s", flush=True)


def _measure_index(arguments: argparse.Namespace) -> None:
    from pipelines.data.input.batches import training_batches
    from pipelines.data.load import read
    from pipelines.data.packed_strings import Strings
    from pipelines.data.reference import DatasetRef
    from pipelines.data.splitting import split_examples
    from pipelines.runtime.environment import peak_memory_bytes

    def report(step: str, started: float) -> float:
        now = time.perf_counter()
        peak = peak_memory_bytes() / 1e6
        print(f"{step:<40} {now - started:6.1f} s   peak {peak:6.0f} MB", flush=True)
        return time.perf_counter()

    reference = DatasetRef.parse(arguments.reference)
    clock = report("imports", time.perf_counter())
    examples = read(reference)
    clock = report(f"index of {len(examples)} files", clock)
    hashes = Strings.of(
        hashlib.sha256(b"%d" % (i - (i % 100 == 99))).hexdigest()
        for i in range(len(examples))
    )
    clock = report("(hashes made up)", clock)
    splits = split_examples(examples, hashes, reference)
    del examples, hashes
    clock = report(f"split: {[len(s) for s in _parts(splits)]}", clock)
    stream = training_batches(splits.train, input_size_px=32, batch_size=_BATCH, seed=0)
    seen = sum(len(y) for _, y in itertools.islice(stream, arguments.batches))
    report(f"{seen} examples of an epoch", clock)


def _parts(splits):
    return splits.train, splits.validation, splits.test
