"""`zoo check` beside the bare decoding and resizing of the same photos.

About 2,000 JPEGs of 500 x 375, cut from two real photographs. What is bare is a
`tf.data` map of the ops that training uses, decode and resize to 224 px, on all cores.
The check reads, decodes, looks for damage, hashes and compares; then it is done again
over files that have not changed. The three take turns, so that whatever else the
machine does falls on all of them; ratios are of neighbours.

Command: python -m benchmarks.data_check
Cost:    about two minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from pipelines.data.images import decode_and_resize
from pipelines.data.reference import DatasetRef
from pipelines.data.survey import survey

_SIZE_PX = 224
_CLASSES = 4
_HOUR = 3600


def write_photos(root: Path, count: int) -> list[str]:
    """Cuts of two photographs at random places, some mirrored, in class folders."""
    rng = np.random.default_rng(0)
    images = load_sample_images().images
    then = time.time() - _HOUR  # what was written just now is never kept
    paths = []
    for i in range(count):
        image = images[i % len(images)][:, :: rng.choice((-1, 1))]
        y, x = (int(rng.integers(0, s - n)) for s, n in zip(image.shape, (375, 500)))
        buffer = io.BytesIO()
        cut = Image.fromarray(image[y : y + 375, x : x + 500])
        cut.save(buffer, "JPEG", quality=int(rng.integers(80, 96)))
        path = root / str(i % _CLASSES) / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
        os.utime(path, (then, then))
        paths.append(str(path))
    return paths


def bare(paths: list[str]) -> None:
    data = tf.data.Dataset.from_tensor_slices(paths).map(
        lambda path: decode_and_resize(tf.io.read_file(path), _SIZE_PX),
        num_parallel_calls=os.cpu_count(),
    )
    for _ in data:
        pass


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZOOTUNE_HOME"] = str(Path(folder) / "home")
        root = Path(folder) / "photos"
        paths = write_photos(root, arguments.photos)
        reference = DatasetRef("dir", str(root))
        bare(paths[:50])
        survey(DatasetRef("dir", str(root), maximum_megapixels=49.0))  # warm
        print(
            "| round | bare, photos/s | check | again | check / bare | again / check |"
        )
        print("| --- | --- | --- | --- | --- | --- |")
        ratios = []
        for i in range(arguments.rounds):
            took = (
                seconds(lambda: bare(paths)),
                seconds(lambda: survey(reference, use_cache=False)),
                seconds(lambda: survey(reference)),
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


if __name__ == "__main__":
    main()
