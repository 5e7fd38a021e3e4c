"""From splits to batches of what a model takes: pixels, texts or series."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.data.image_bytes import reader_of
from pipelines.data.images import decode_and_resize, resize
from pipelines.data.order import shuffled_epochs
from pipelines.data.splits import (
    EncodedImages,
    ImageFiles,
    ImageRecords,
    Series,
    Split,
    Texts,
)

_Batches = Callable[[tf.data.Dataset], tf.data.Dataset]


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """How many batches hold every example once; the last may be smaller."""
    return math.ceil(len(split) / batch_size)


def batches(
    split: Split, *, input_size_px: int | None, batch_size: int
) -> tf.data.Dataset:
    """Every example once, in the order of the split.

    Yields inputs and labels, int64 `[batch]`. Inputs are pixels, uint8 `[batch,
    input_size_px, input_size_px, 3]`; strings `[batch]`; or series, float32 `[batch,
    steps, channels]`, and these two have no size. The last batch may be smaller.
    """
    to_batches = _loader(split, input_size_px, batch_size)
    return to_batches(tf.data.Dataset.range(len(split))).prefetch(tf.data.AUTOTUNE)


def training_batches(
    split: Split,
    *,
    input_size_px: int | None,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Epoch after epoch without end, each in its own order; see `batches` for shapes.

    The order of an epoch depends on `seed` and the number of the epoch and on nothing
    else, so a resumed run passes `first_epoch` and sees what it would have seen. A
    batch never holds examples of two epochs.
    """
    to_batches = _loader(split, input_size_px, batch_size)
    return shuffled_epochs(len(split), to_batches, seed=seed, first_epoch=first_epoch)


def _loader(split: Split, size_px: int | None, batch_size: int) -> _Batches:
    """A function from a sequence of example indices to batches of those examples."""
    inputs = split.inputs
    if isinstance(inputs, Texts | Series):
        return _row_loader(split, inputs.values, batch_size)
    if size_px is None:
        raise ValueError("Images need input_size_px, the size to bring them to.")
    if isinstance(inputs, ImageFiles | ImageRecords):
        return _encoded_loader(split, inputs, size_px, batch_size)
    return _row_loader(
        split, inputs.pixels, batch_size, lambda rows: resize(rows, size_px)
    )


def _encoded_loader(
    split: Split, images: EncodedImages, size_px: int, batch_size: int
) -> _Batches:
    read, labels = reader_of(images), _on_host(split.labels)

    def load(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = decode_and_resize(
            read(i), size_px, maximum_megapixels=images.maximum_megapixels
        )
        return pixels, tf.gather(labels, i)

    return lambda indices: _in_parallel(indices, load).batch(batch_size)


def _row_loader(
    split: Split,
    array: np.ndarray,
    batch_size: int,
    prepare: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> _Batches:
    values, labels = _on_host(array), _on_host(split.labels)

    # Whole batches at once: for small rows the call costs more than the work.
    def load(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return prepare(tf.gather(values, rows)), tf.gather(labels, rows)

    return lambda indices: _in_parallel(indices.batch(batch_size), load)


def _in_parallel(
    indices: tf.data.Dataset,
    load: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
) -> tf.data.Dataset:
    return indices.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _on_host(array: np.ndarray) -> tf.Tensor:
    with tf.device("CPU:0"):  # the input pipeline runs there; keep GPU memory free
        return tf.constant(array)
