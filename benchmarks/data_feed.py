"""From a folder of JPEG photos to ready batches, beside the bare ops and Keras.

2,000 photos of 500x375 pixels (quality 90, about 50 KB each; other sizes by `--width`)
are cut at random from the two photographs that scikit-learn carries, in 4 class
folders, and read at 224 pixels in batches of 32. In each repetition the contenders
follow each other, so that whatever else the machine does falls on all:

`ours`: `training_batches`, which decodes. `kept`: the same with the pixels that an
earlier epoch kept. `bare`: the same ops, `decode_and_resize`, in a loop on every core,
of bytes that are in memory. `keras`: `image_dataset_from_directory`, which decodes JPEG
with a method that is off by up to 3 levels, and resizes without antialias. `keras
antialias`: the same data set with accurate decoding and antialias, as ours has.

Command: python -m benchmarks.data feed --photos=2000 --repetitions=5
Cost:    about 5 minutes on two CPU cores, 100 MB of disk, 0.3 GB of memory.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.photos import write_photos
from pipelines.data.images.decode import decode_and_resize
from pipelines.data.input.batches import training_batches
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.splits import ImageFiles, Split

_SIZE_PX = 224
_BATCH_SIZE = 32
_UNTIMED_BATCHES = 4


def _bare(paths: tuple[str, ...]) -> Iterator[object]:
    """After every batch of images; nothing is batched."""
    contents = [tf.constant(Path(path).read_bytes()) for path in paths]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for i, _ in enumerate(threads.map(_resized, contents)):
            if (i + 1) % _BATCH_SIZE == 0:
                yield i


_resized = tf.function(
    lambda content: decode_and_resize(content, _SIZE_PX),
    input_signature=[tf.TensorSpec([], tf.string)],
)


def _keras(root: Path) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(
        root,
        image_size=(_SIZE_PX, _SIZE_PX),
        batch_size=_BATCH_SIZE,
        shuffle=False,
        verbose=False,
    )


def _keras_with_antialias(paths: tuple[str, ...]) -> tf.data.Dataset:
    """As Keras builds its data set, with the decoding and resizing of ours in it."""

    def load(path: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_jpeg(
            tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE"
        )
        return tf.image.resize(pixels, (_SIZE_PX, _SIZE_PX), antialias=True)

    loaded = tf.data.Dataset.from_tensor_slices(list(paths)).map(
        load, num_parallel_calls=tf.data.AUTOTUNE
    )
    return loaded.batch(_BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def _contenders(
    root: Path, paths: tuple[str, ...]
) -> dict[str, Callable[[], Iterator[object]]]:
    """Functions that begin to read, and give something for every batch."""
    split = Split("train", ImageFiles(paths), np.zeros(len(paths), np.int64))
    epochs = functools.partial(
        training_batches,
        split,
        input_size_px=_SIZE_PX,
        batch_size=_BATCH_SIZE,
        seed=0,
    )
    cache = PixelCache(len(paths) * _SIZE_PX**2 * 3)
    ours, kept = epochs(), epochs(cache=cache)
    for _ in kept.take(len(paths) // _BATCH_SIZE + 1):
        pass  # the epoch that decodes
    reference, same_pixels = _keras(root), _keras_with_antialias(paths)
    return {
        "ours": lambda: iter(ours),
        "kept": lambda: iter(kept),
        "bare": lambda: _bare(paths),
        "keras": lambda: iter(reference),
        "keras antialias": lambda: iter(same_pixels),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--width", type=int, default=500, help="of a photo, in pixels")
    parser.add_argument("--repetitions", type=int, default=5)


def measure(arguments: argparse.Namespace) -> None:
    """Prints images per second, and ratios within repetitions with their spread."""
    rates: dict[str, list[float]] = {}
    processor_ms: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), arguments.photos, width_px=arguments.width)
        contenders = _contenders(Path(folder), paths)
        # One repetition more, to warm up.
        for repetition in range(arguments.repetitions + 1):
            for name, begin in contenders.items():
                rate, used_ms = _rate(begin(), arguments.photos // _BATCH_SIZE)
                if repetition > 0:
                    rates.setdefault(name, []).append(rate)
                    processor_ms.setdefault(name, []).append(used_ms)
    print("| contender | images per second | lowest to highest | processor ms each |")
    print("| --- | --- | --- | --- |")
    for name, found in rates.items():
        each = statistics.median(processor_ms[name])
        print(f"| {name} | {_spread(found, '.0f')} | {each:.2f} |")
    print("\n| ratio | median | lowest to highest |")
    print("| --- | --- | --- |")
    for ours, theirs in _RATIOS:
        ratios = [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]
        print(f"| {ours} / {theirs} | {_spread(ratios, '.2f')} |")


def _rate(iterator: Iterator[object], batches: int) -> tuple[float, float]:
    """Images per second, and processor milliseconds for each.

    Without the first batches: TensorFlow takes a second to start a data set.
    """
    for _ in range(_UNTIMED_BATCHES):
        next(iterator)
    started, used = time.perf_counter(), time.process_time()
    for _ in range(batches - _UNTIMED_BATCHES):
        next(iterator)
    seconds = time.perf_counter() - started
    images = (batches - _UNTIMED_BATCHES) * _BATCH_SIZE
    return images / seconds, 1000 * (time.process_time() - used) / images


_RATIOS = (
    ("ours", "bare"),
    ("ours", "keras"),
    ("ours", "keras antialias"),
    ("kept", "keras"),
)


def _spread(values: list[float], form: str) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} | {low:{form}} to {high:{form}}"
