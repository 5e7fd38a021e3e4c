"""Every example once, and an order of training that depends on seed and epoch alone."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images.decode import decode_and_resize
from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import batches, steps_per_epoch, training_batches
from pipelines.data.splits import ImageArray, ImageFiles, Split


def noise(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def counting_split(count: int) -> Split:
    """Images whose colour is their index, so that a batch shows what it holds."""
    pixels = np.zeros((count, 4, 4, 3), np.uint8)
    pixels += np.arange(count, dtype=np.uint8)[:, None, None, None]
    return Split("train", ImageArray(pixels), np.arange(count, dtype=np.int64) % 5)


@pytest.fixture
def file_split(tmp_path: Path) -> Split:
    paths = []
    for i in range(11):
        odd = os.fsdecode(b"\n'\xff\xfe") if i > 7 else "*[x]"
        path = tmp_path / f"naïve {i}{odd}.{'jpg' if i % 2 else 'png'}"
        with path.open("wb") as stream:
            image = Image.fromarray(noise(20 + i, 30, seed=i))
            image.save(stream, "JPEG" if i % 2 else "PNG")
        paths.append(str(path))
    return Split("train", ImageFiles(tuple(paths)), np.arange(11, dtype=np.int64))


def epoch_of(split: Split, epoch: int, **options: int) -> list[int]:
    """The order of the examples in one epoch of training."""
    settings = {"input_size_px": 4, "batch_size": 8, "seed": 0} | options
    steps = steps_per_epoch(split, settings["batch_size"])
    stream = training_batches(split, **settings).skip(epoch * steps).take(steps)
    return [int(image[0, 0, 0]) for pixels, _ in stream for image in pixels]


def test_epochs_hold_every_example_once() -> None:
    split = counting_split(50)
    epochs = [epoch_of(split, epoch) for epoch in range(4)]
    assert len(epochs) == 4
    for order in epochs:
        assert sorted(order) == list(range(50))
    for one, other in itertools.combinations(epochs, 2):
        assert one != other


@pytest.mark.parametrize("count", [1, 2, 3, 17])
def test_small_splits_are_permuted_whole(count: int) -> None:
    order = epoch_of(counting_split(count), 1, batch_size=4)
    assert sorted(order) == list(range(count))


def test_the_seed_decides_the_order() -> None:
    split = counting_split(50)
    assert epoch_of(split, 1, seed=3) == epoch_of(split, 1, seed=3)
    assert epoch_of(split, 1, seed=3) != epoch_of(split, 1, seed=4)


def test_the_batch_size_does_not_change_the_order() -> None:
    split = counting_split(50)
    assert epoch_of(split, 1, batch_size=8) == epoch_of(split, 1, batch_size=7)


def test_resuming_at_an_epoch_continues_the_run() -> None:
    split = counting_split(50)
    assert epoch_of(split, 0, first_epoch=2) == epoch_of(split, 2)
    assert epoch_of(split, 1, first_epoch=2) == epoch_of(split, 3)


def test_batches_do_not_mix_epochs() -> None:
    split = counting_split(50)
    stream = training_batches(split, input_size_px=4, batch_size=16, seed=0)
    sizes = [len(labels) for _, labels in stream.take(8)]
    assert sizes == [16, 16, 16, 2] * 2
    assert steps_per_epoch(split, 16) == 4
    assert steps_per_epoch(split, 25) == 2


def test_training_yields_labels_of_its_images(file_split: Split) -> None:
    expected = [
        decode_and_resize(tf.io.read_file(os.fsencode(path)), 16).numpy()
        for path in file_split.inputs.paths
    ]
    stream = training_batches(file_split, input_size_px=16, batch_size=4, seed=1)
    seen: list[int] = []
    for pixels, labels in stream.take(3):
        assert (pixels.dtype, labels.dtype) == (tf.uint8, tf.int64)
        for image, label in zip(pixels.numpy(), labels.numpy()):
            assert (image == expected[label]).all()
            seen.append(int(label))
    assert sorted(seen) == list(range(11))
    assert seen != sorted(seen)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_batches_are_every_example_once_in_order(
    file_split: Split, batch_size: int
) -> None:
    found = list(batches(file_split, input_size_px=16, batch_size=batch_size))
    assert len(found) == steps_per_epoch(file_split, batch_size)
    labels = np.concatenate([labels for _, labels in found])
    assert labels.tolist() == list(range(11))
    pixels = np.concatenate([pixels for pixels, _ in found])
    for path, image in zip(file_split.inputs.paths, pixels):
        decoded = decode_and_resize(tf.io.read_file(os.fsencode(path)), 16).numpy()
        assert (image == decoded).all()


def test_files_and_arrays_give_the_same_pixels(tmp_path: Path) -> None:
    images = np.stack([noise(20, 20, seed=seed) for seed in range(5)])
    paths = [str(tmp_path / f"{i}.png") for i in range(5)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    labels = np.arange(5, dtype=np.int64)
    from_files, from_array = (
        next(iter(batches(Split("test", kind, labels), input_size_px=12, batch_size=5)))
        for kind in (ImageFiles(tuple(paths)), ImageArray(images))
    )
    assert (from_files[0].numpy() == from_array[0].numpy()).all()


def test_large_array_is_not_a_graph_constant() -> None:
    split = counting_split(5000)
    stream = training_batches(split, input_size_px=4, batch_size=8, seed=0)
    (epochs,) = stream._inputs()  # below the prefetch
    (one_epoch,) = epochs._functions()
    size = one_epoch.function.graph.as_graph_def(add_shapes=True).ByteSize()
    assert 0 < size < split.inputs.pixels.nbytes / 10


def test_weights_come_with_batches_and_mix():
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[0] = 200
    weights = np.float32([1, 3])
    split = Split("train", ImageArray(pixels), np.array([0, 1]), weights=weights)
    sizes = {"input_size_px": 8, "batch_size": 2}
    assert len(next(iter(batches(split, **sizes)))) == 2
    *_, own = next(iter(batches(split, weighted=True, **sizes)))
    assert own.numpy().tolist() == [0.5, 1.5]
    plain = training_batches(split, seed=3, **sizes)
    _, labels, own = next(iter(plain))
    np.testing.assert_allclose(own, np.where(labels == 0, 0.5, 1.5))
    mixing = Augmentation(flip="none", crop=1.0, colour=0.0, mixup=1.0)
    mixed = training_batches(split, seed=3, augmentation=mixing, classes=2, **sizes)
    images, labels, own = (part.numpy() for part in next(iter(mixed)))
    bright = images.mean(axis=(1, 2, 3)) / 200
    np.testing.assert_allclose(own, 0.5 * bright + 1.5 * (1 - bright), atol=0.02)
    np.testing.assert_allclose(labels[:, 0] * own, 0.5 * bright, atol=0.02)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-5)
