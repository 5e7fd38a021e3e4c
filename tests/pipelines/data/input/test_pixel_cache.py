"""Pixels that were decoded once are not decoded again, and are the same."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import batches, steps_per_epoch, training_batches
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.splits import ImageFiles, Split

SIZE = 12
PER_IMAGE = 3 * SIZE**2
SETTINGS = {"input_size_px": SIZE, "batch_size": 4, "seed": 1}


@pytest.fixture
def split(tmp_path: Path) -> Split:
    rng = np.random.default_rng(0)
    paths = []
    for i in range(10):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
        paths.append(str(path))
    return Split("train", ImageFiles(tuple(paths)), np.arange(10, dtype=np.int64))


def delete(split: Split) -> None:
    for path in split.inputs.paths:
        Path(path).unlink()


def taken(stream: tf.data.Dataset, steps: int) -> list[np.ndarray]:
    return [pixels.numpy() for pixels, _ in stream.take(steps)]


@pytest.mark.parametrize("how", [None, Augmentation("both", 0.7, 0.1)])
def test_later_epochs_need_no_files(split: Split, how) -> None:
    steps = 3 * steps_per_epoch(split, 4)
    without = taken(training_batches(split, augmentation=how, **SETTINGS), steps)
    cache = PixelCache(10 * PER_IMAGE)
    ((whole, _),) = batches(split, input_size_px=SIZE, batch_size=10, cache=cache)
    delete(split)
    with_cache = training_batches(split, augmentation=how, cache=cache, **SETTINGS)
    for ours, theirs in zip(taken(with_cache, steps), without, strict=True):
        assert (ours == theirs).all()
    ((again, _),) = batches(split, input_size_px=SIZE, batch_size=10, cache=cache)
    assert (again.numpy() == whole.numpy()).all()
    with pytest.raises(tf.errors.NotFoundError):
        taken(training_batches(split, augmentation=how, **SETTINGS), 1)


def test_training_itself_fills_the_cache(split: Split) -> None:
    cache = PixelCache(2**20)
    steps = steps_per_epoch(split, 4)
    first = taken(training_batches(split, cache=cache, **SETTINGS), steps)
    delete(split)
    again = taken(training_batches(split, cache=cache, **SETTINGS), steps)
    assert all((one == other).all() for one, other in zip(first, again, strict=True))


def test_weights_of_a_split_change_no_pixels(split: Split) -> None:
    cache = PixelCache(2**20)
    settings = {"input_size_px": SIZE, "batch_size": 10, "cache": cache}
    ((whole, _),) = batches(split, **settings)
    delete(split)
    counted = dataclasses.replace(split, weights=np.ones(len(split), np.float32))
    ((again, _, _),) = batches(counted, weighted=True, **settings)
    assert (again.numpy() == whole.numpy()).all()


def test_budget_keeps_the_first_images(split: Split) -> None:
    cache = PixelCache(6 * PER_IMAGE + 5)
    ((whole, _),) = batches(split, input_size_px=SIZE, batch_size=10, cache=cache)
    assert cache.held_bytes == 6 * PER_IMAGE
    for path in split.inputs.paths[:6]:
        Path(path).unlink()
    ((again, _),) = batches(split, input_size_px=SIZE, batch_size=10, cache=cache)
    assert (again.numpy() == whole.numpy()).all()
    Path(split.inputs.paths[6]).unlink()
    with pytest.raises(tf.errors.NotFoundError):
        taken(batches(split, input_size_px=SIZE, batch_size=10, cache=cache), 1)


def test_splits_share_the_budget(split: Split, caplog) -> None:
    caplog.set_level(logging.INFO, logger="zootune")
    other = Split("validation", split.inputs, split.labels)
    cache = PixelCache(13 * PER_IMAGE)
    for one in (split, other, split):
        taken(batches(one, input_size_px=SIZE, batch_size=10, cache=cache), 1)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" decoded")[0] for line in lines] == [
        "train: 10 of 10",
        "validation: 3 of 10",
    ]
    assert cache.held_bytes == 13 * PER_IMAGE


def test_no_budget_keeps_nothing(split: Split) -> None:
    cache = PixelCache(0)
    assert len(taken(batches(split, **_sized(), cache=cache), 1)) == 1
    delete(split)
    with pytest.raises(tf.errors.NotFoundError):
        taken(batches(split, **_sized(), cache=cache), 1)


def _sized() -> dict[str, int]:
    return {"input_size_px": SIZE, "batch_size": 10}
