"""From splits to batches of what a model takes: pixels, texts, series or rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.data.images.decode import decode_and_resize, resize
from pipelines.data.images.encoded import reader_of
from pipelines.data.input.augment import Augmentation, augmenter, mixer
from pipelines.data.input.augment_series import SeriesAugmentation, series_augmenter
from pipelines.data.input.autotune import untuned
from pipelines.data.input.order import (
    Sample,
    ToBatches,
    WorkerShard,
    shuffled_epochs,
)
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.splits import ImageArray, Series, Sounds, Split, Table, Texts

# Pixels that are copied into a pipeline, in bytes. Of a larger array, batches are taken
# through Python: slower, but a pipeline of each stage would hold another copy.
_LARGEST_COPY = 2**28
# A function of its own is traced once for a size and the kinds of files, and not for
# every data set.
_decode_and_resize = tf.function(decode_and_resize, autograph=False)


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """The number of batches with every example once; the last may be smaller."""
    return math.ceil(len(split) / batch_size)


def batches(
    split: Split,
    *,
    input_size_px: int | None,
    batch_size: int,
    cache: PixelCache | None = None,
    weighted: bool = False,
) -> tf.data.Dataset:
    """Every example once, in the order of the split.

    Yields inputs and labels, a row of the split's labels for each example, and if they
    are to be `weighted` and the split has weights, these, float32 `[batch]` with a mean
    of 1 over the split. Inputs are
    pixels, uint8 `[batch, input_size_px, input_size_px, 3]`; strings `[batch]`;
    series, float32 `[batch, steps, channels]`; or rows of a table, float32 `[batch,
    columns]`, and these have no size. The last batch may be smaller.
    """
    split = split if weighted else dataclasses.replace(split, weights=None)
    to_batches = _loader(split, input_size_px, batch_size, cache)
    rows = untuned(tf.data.Dataset.range(len(split)))
    return to_batches(rows).prefetch(tf.data.AUTOTUNE)


def batches_of_all(
    splits: Sequence[Split], *, input_size_px: int | None, batch_size: int
) -> tf.data.Dataset:
    """Every example of several splits once, one split after the other; see `batches`.

    One data set, because Keras traces a network again for each data set.
    """
    read, *others = (
        batches(split, input_size_px=input_size_px, batch_size=batch_size)
        for split in splits
    )
    for other in others:
        read = read.concatenate(other)
    return read


def view_batches(
    split: Split,
    augmentation: Augmentation,
    *,
    view: int,
    input_size_px: int | None,
    batch_size: int,
    seed: int,
) -> tf.data.Dataset:
    """Every image once, in the order of the split, as one of its augmented views.

    A view is the image as the epoch of that number sees it; see `batches` for shapes.
    """
    split = dataclasses.replace(split, weights=None)
    load = _pixel_loader(split, _required(input_size_px), None)
    loaded = _augmented(split, load, augmentation, seed=seed, classes=None)
    numbers = untuned(tf.data.Dataset.range(len(split)))
    epoch, repeat = tf.constant(view, tf.int64), tf.constant(0, tf.int64)
    sample = tf.autograph.experimental.do_not_convert(
        lambda index: Sample(index, epoch, repeat)
    )
    samples = numbers.map(sample)
    return loaded(samples).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def training_batches(
    split: Split,
    *,
    input_size_px: int | None,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    cache: PixelCache | None = None,
    balanced: bool = False,
    augmentation: Augmentation | SeriesAugmentation | None = None,
    classes: int | None = None,
    share: WorkerShard | None = None,
) -> tf.data.Dataset:
    """Epoch after epoch without end, each in its own order; see `batches` for shapes.

    With weights where the split has them.

    The order of an epoch depends on `seed` and the number of the epoch only. A resumed
    run passes `first_epoch` and the `first_step` of that epoch, and sees the batches
    that it would have seen. A batch never holds examples of two epochs.

    Where augmentation mixes images, labels are float32 `[batch, classes]`: two
    neighbours in the order are mixed, and the last of an odd number stays as it is.
    With a `share`, only its rows of every batch are read.
    """
    rows = batch_size if share is None else share.rows
    if augmentation is None:
        read = _loader(split, input_size_px, rows, cache)

        def to_batches(samples: tf.data.Dataset) -> tf.data.Dataset:
            return read(samples.map(lambda sample: sample.index))

    else:
        load = _example_loader(split, input_size_px, cache)
        augmented = _augmented(split, load, augmentation, seed=seed, classes=classes)

        def to_batches(samples: tf.data.Dataset) -> tf.data.Dataset:
            return augmented(samples).batch(rows)

    return shuffled_epochs(
        len(split),
        to_batches,
        seed=seed,
        first_epoch=first_epoch,
        first_example=first_step * batch_size,
        balance=split.labels if balanced else None,
        share=share,
    )


def _loader(
    split: Split, size_px: int | None, batch_size: int, cache: PixelCache | None
) -> ToBatches:
    """A function from a sequence of example indices to batches of those examples."""
    inputs = split.inputs
    if isinstance(inputs, ImageArray):
        size = _required(size_px)
        gather = _gatherer(inputs)
        return _row_loader(split, lambda i: resize(gather(i), size), batch_size)
    if isinstance(inputs, Texts | Series | Sounds | Table):
        values = _on_host(inputs.values)
        return _row_loader(split, lambda i: tf.gather(values, i), batch_size)
    pixels_of = _pixel_loader(split, _required(size_px), cache)
    targets = _targets(split)
    return lambda indices: _in_parallel(
        indices, lambda i: (pixels_of(i), *targets(i))
    ).batch(batch_size)


def _targets(split: Split) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """A function from rows to what is learned, and weights where the split has them."""
    columns = [split.learned]
    if split.relative_weights is not None:
        columns.append(split.relative_weights)
    held = [_on_host(column) for column in columns]
    return lambda rows: tuple(tf.gather(column, rows) for column in held)


def _required(size_px: int | None) -> int:
    if size_px is None:
        raise ValueError("Images need input_size_px, the size to bring them to.")
    return size_px


def _example_loader(
    split: Split, size_px: int | None, cache: PixelCache | None
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from an index to a series `[steps, channels]`, or to pixels."""
    if isinstance(split.inputs, Series):
        values = _on_host(split.inputs.values)
        return lambda i: tf.gather(values, i)
    return _pixel_loader(split, _required(size_px), cache)


def _pixel_loader(
    split: Split, size_px: int, cache: PixelCache | None
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from an index to pixels, uint8 `[size_px, size_px, 3]`."""
    inputs = split.inputs
    if isinstance(inputs, ImageArray):
        gather = _gatherer(inputs)
        return lambda i: resize(gather(i), size_px)
    if isinstance(inputs, Texts | Series | Sounds | Table):
        raise ValueError(f"Only images have pixels, and not {inputs.modality}.")
    read = reader_of(inputs)

    def load(i: tf.Tensor) -> tf.Tensor:
        return _decode_and_resize(
            read(i),
            size_px,
            maximum_megapixels=inputs.maximum_megapixels,
            kinds=tuple(sorted(inputs.kinds)),
        )

    return load if cache is None else cache.keeping(split, size_px, load)


def _augmented(
    split: Split,
    pixels_of: Callable[[tf.Tensor], tf.Tensor],
    augmentation: Augmentation | SeriesAugmentation,
    *,
    seed: int,
    classes: int | None,
) -> ToBatches:
    """A function from a sequence of samples to augmented examples and their labels."""
    targets = _targets(split)
    if isinstance(augmentation, SeriesAugmentation):
        change = series_augmenter(augmentation, seed=seed)
        return lambda samples: _in_parallel(
            samples,
            lambda sample: (
                change(pixels_of(sample.index), sample),
                *targets(sample.index),
            ),
        )
    augment = augmenter(augmentation, seed=seed)

    def load(sample: Sample) -> tuple[tf.Tensor, ...]:
        return augment(pixels_of(sample.index), sample), *targets(sample.index)

    if not augmentation.mixes:
        return lambda samples: _in_parallel(samples, load)
    mix = mixer(augmentation, seed=seed)

    def mix_pair(
        pixels: tf.Tensor, pair: tf.Tensor, *rest: Any
    ) -> tuple[tf.Tensor, ...]:
        *weights, samples = rest
        # Labels that are rows of numbers mix as they are.
        soft = tf.one_hot(pair, classes) if pair.shape.rank == 1 else pair
        first = Sample(*(part[0] for part in samples))
        if weights:  # which mix too, and each label counts by the weight of its image
            own = weights[0][:, tf.newaxis]
            soft = tf.concat([soft * own, own], axis=1)
        mixed, soft = tf.cond(
            tf.shape(pair)[0] == 2,
            lambda: mix(pixels, soft, first),
            lambda: (pixels, soft),
        )
        if not weights:
            return mixed, soft
        return mixed, tf.math.divide_no_nan(soft[:, :-1], soft[:, -1:]), soft[:, -1]

    def load_mixed(samples: tf.data.Dataset) -> tf.data.Dataset:
        loaded = _in_parallel(samples, lambda sample: (*load(sample), sample))
        return _in_parallel(loaded.batch(2), mix_pair).unbatch()

    return load_mixed


def _row_loader(
    split: Split, inputs_of: Callable[[tf.Tensor], tf.Tensor], batch_size: int
) -> ToBatches:
    targets = _targets(split)

    # Whole batches at once: for small rows the call costs more than the work.
    def load(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return inputs_of(rows), *targets(rows)

    return lambda indices: _in_parallel(indices.batch(batch_size), load)


def _in_parallel(
    items: tf.data.Dataset,
    load: Callable[..., tuple[tf.Tensor, ...]],
) -> tf.data.Dataset:
    # Operations of TensorFlow only: to convert their Python takes longer than to trace.
    plain = tf.autograph.experimental.do_not_convert(load)
    return items.map(plain, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _gatherer(images: ImageArray) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from an index, or several, to those images."""
    if len(images) * images.held[:1].nbytes <= _LARGEST_COPY:
        pixels = _on_host(images.pixels)
        return lambda i: tf.gather(pixels, i)
    held = images.held
    rows = np.arange(len(held)) if images.rows is None else images.rows

    def gather(i: tf.Tensor) -> tf.Tensor:
        taken = tf.numpy_function(lambda j: held[rows[j]], [i], tf.uint8)
        return tf.ensure_shape(taken, [*i.shape, *held.shape[1:]])

    return gather


def _on_host(array: np.ndarray) -> tf.Tensor:
    with tf.device("CPU:0"):  # the input pipeline runs there; keep GPU memory free
        return tf.constant(array)
