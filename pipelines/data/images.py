"""From encoded images to batches of pixels, with the very ops that serving uses.

Resizing ends in rounded uint8, so that training, evaluation and serving feed a model
identical numbers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.data.order import shuffled_epochs
from pipelines.data.splits import ImageFiles, Split


def decode(image_bytes: tf.Tensor) -> tf.Tensor:
    """The pixels of one encoded JPEG, PNG, GIF, BMP or WebP, uint8 `[h, w, 3]`.

    Grey is expanded, alpha is dropped, an animation gives its first frame.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are damaged or not an image.
    """
    is_jpeg = tf.equal(tf.strings.substr(image_bytes, 0, 3), b"\xff\xd8\xff")
    pixels = tf.cond(
        is_jpeg,
        # The default method is off by up to 3 levels; this one is equal to Pillow.
        lambda: tf.io.decode_jpeg(
            image_bytes, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        lambda: tf.io.decode_image(image_bytes, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def resize(pixels: tf.Tensor, size_px: int) -> tf.Tensor:
    """An image or a batch stretched to a square, uint8 `[..., size_px, size_px, 3]`."""
    resized = tf.image.resize(
        tf.cast(pixels, tf.float32),
        [size_px, size_px],
        method="bilinear",
        antialias=True,
    )
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def decode_and_resize(image_bytes: tf.Tensor, size_px: int) -> tf.Tensor:
    """One encoded image as uint8 `[size_px, size_px, 3]`."""
    return resize(decode(image_bytes), size_px)


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """How many batches hold every example once; the last may be smaller."""
    return math.ceil(len(split) / batch_size)


def batches(split: Split, *, input_size_px: int, batch_size: int) -> tf.data.Dataset:
    """Every example once, in the order of the split.

    Yields pixels, uint8 `[batch, input_size_px, input_size_px, 3]`, and labels, int64
    `[batch]`. The last batch may be smaller.
    """
    to_batches = _loader(split, input_size_px=input_size_px, batch_size=batch_size)
    return to_batches(tf.data.Dataset.range(len(split))).prefetch(tf.data.AUTOTUNE)


def training_batches(
    split: Split,
    *,
    input_size_px: int,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Epoch after epoch without end, each in its own order; see `batches` for shapes.

    The order of an epoch depends on `seed` and the number of the epoch and on nothing
    else, so a resumed run passes `first_epoch` and sees what it would have seen. A
    batch never holds examples of two epochs.
    """
    to_batches = _loader(split, input_size_px=input_size_px, batch_size=batch_size)
    return shuffled_epochs(len(split), to_batches, seed=seed, first_epoch=first_epoch)


def _loader(
    split: Split, *, input_size_px: int, batch_size: int
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """A function from a sequence of example indices to batches of those examples."""
    if isinstance(split.images, ImageFiles):
        return _file_loader(split, split.images, input_size_px, batch_size)
    return _array_loader(split, split.images.pixels, input_size_px, batch_size)


def _file_loader(
    split: Split, images: ImageFiles, size_px: int, batch_size: int
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    # Eager tensors, captured by the functions below: a Python list or an array would
    # become a constant in every graph.
    paths = tf.constant([os.fsencode(path) for path in images.paths], tf.string)
    labels = _on_host(split.labels)

    def load(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image_bytes = tf.io.read_file(tf.gather(paths, i))
        return decode_and_resize(image_bytes, size_px), tf.gather(labels, i)

    return lambda indices: _in_parallel(indices, load).batch(batch_size)


def _array_loader(
    split: Split, array: np.ndarray, size_px: int, batch_size: int
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    pixels, labels = _on_host(array), _on_host(split.labels)

    # Whole batches at once: for small images the call costs more than the work.
    def load(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return resize(tf.gather(pixels, rows), size_px), tf.gather(labels, rows)

    return lambda indices: _in_parallel(indices.batch(batch_size), load)


def _in_parallel(
    indices: tf.data.Dataset,
    load: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
) -> tf.data.Dataset:
    return indices.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _on_host(array: np.ndarray) -> tf.Tensor:
    with tf.device("CPU:0"):  # the input pipeline runs there; keep GPU memory free
        return tf.constant(array)
