"""`zoo check` beside the bare decoding and resizing of the same photos.

About 2,000 JPEGs of 500 x 375, cut from two real photographs. What is bare is a
`tf.data` map of the ops that training uses, decode and resize to 224 px, on all cores.
The check reads, decodes, looks for damage, hashes and compares; then it is done again
over files that have not changed. The three take turns, so that whatever else the
machine does falls on all of them; ratios are of neighbours.

Command: python -m benchmarks.data check
Cost:    about two minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.photos import write_photos
from pipelines.audit.audit import audit
from pipelines.data.images.decode import decode_and_resize
from pipelines.data.reference import DatasetRef

_SIZE_PX = 224


def bare(paths: Sequence[str]) -> None:
    data = tf.data.Dataset.from_tensor_slices(list(paths)).map(
        lambda path: decode_and_resize(tf.io.read_file(path), _SIZE_PX),
        num_parallel_calls=os.cpu_count(),
    )
    for _ in data:
        pass


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)


def measure(arguments: argparse.Namespace) -> None:
    """Prints photos per second, and ratios within rounds with their spread."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZOOTUNE_HOME"] = str(Path(folder) / "home")
        root = Path(folder) / "photos"
        paths = write_photos(root, arguments.photos)
        reference = DatasetRef("dir", str(root))
        bare(paths[:50])
        audit(DatasetRef("dir", str(root), maximum_megapixels=49.0))  # warm
        print(
            "| round | bare, photos/s | check | again | check / bare | again / check |"
        )
        print("| --- | --- | --- | --- | --- | --- |")
        ratios = []
        for i in range(arguments.rounds):
            took = (
                seconds(lambda: bare(paths)),
                seconds(lambda: audit(reference, use_cache=False)),
                seconds(lambda: audit(reference)),
            )
            rates = [len(paths) / one for one in took]
            ratios.append((rates[1] / rates[0], rates[2] / rates[1]))
            cells = [*(f"{rate:,.0f}" for rate in rates)]
            cells += [f"{ratios[-1][0]:.2f}", f"{ratios[-1][1]:.0f}"]
            print(f"| {i} | {' | '.join(cells)} |", flush=True)
        first, second = zip(*ratios)
        print(
            f"check / bare: median {np.median(first):.2f}, {min(first):.2f} to"
            f" {max(first):.2f}; again / check: median {np.median(second):.0f},"
            f" {min(second):.0f} to {max(second):.0f}"
        )
