"""Outputs of frozen blocks, kept in memory or on disk for a phase to train on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.data.splits import Split
from pipelines.features.activation_cache import ActivationCache, key_of
from pipelines.features.extract import Activations, Reader, size_bytes
from pipelines.runtime.clock import Ticker

# Activations up to this size stay in memory.
_MEMORY_BYTES = 2**30
_DOING = "activations of frozen blocks"

Read = Callable[[Split], tf.data.Dataset]


def keep(
    lower: keras.Model,
    splits: Sequence[Split],
    read: Read,
    *,
    input_size_px: int | None,
    disk: ActivationCache | None,
) -> list[Activations] | None:
    """The outputs of `lower` for every example of each split, computed once.

    In memory as float32 if they fit, else on disk as float16. None if they fit neither
    and have to be computed in every epoch.
    """
    needed_bytes, reader = size_bytes(lower, sum(map(len, splits))), Reader(lower)
    if needed_bytes <= _MEMORY_BYTES:
        return [
            reader.extract(read(split), on_progress=Ticker(_DOING, len(split)))
            for split in splits
        ]
    if disk is None or not disk.has_room(needed_bytes // 2):
        return None
    kept = []
    for split in splits:
        if split.digest is None:
            return None
        entry = disk.get(
            key_of(lower, data=split.digest, input_size_px=input_size_px),
            functools.partial(_streamed, reader, read, split),
            examples=len(split),
        )
        if entry is None:
            return None
        kept.append(entry)
    return kept


def _streamed(reader: Reader, read: Read, split: Split) -> Iterator[Activations]:
    tick, done = Ticker(_DOING, len(split)), 0
    for outputs in reader.stream(read(split)):
        yield outputs
        done += len(outputs[0])
        tick(done)


def taker(
    activations: Activations, *columns: np.ndarray
) -> Callable[[tf.Tensor], tuple]:
    """A function from rows, int64 `[batch]`, to the inputs of a model and columns.

    Those are labels, and weights where there are any.
    """
    if any(isinstance(array, np.memmap) for array in activations):
        return _from_disk(activations, columns)
    held = tf.nest.map_structure(tf.constant, (_input(activations), *columns))
    return lambda rows: tf.nest.map_structure(lambda t: _rows(t, rows), held)


def _rows(tensor: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    values = tf.gather(tensor, rows)
    # Stored at half the size; a head computes in float32.
    return tf.cast(values, tf.float32) if values.dtype == tf.float16 else values


def _from_disk(
    activations: Activations, columns: Sequence[np.ndarray]
) -> Callable[[tf.Tensor], tuple]:
    kinds = [
        array.dtype if array.dtype.kind in "iub" else np.dtype(np.float32)
        for array in activations
    ]

    def read_rows(rows: np.ndarray) -> list[np.ndarray]:
        return [array[rows].astype(kind) for array, kind in zip(activations, kinds)]

    held = [tf.constant(column) for column in columns]

    def take(rows: tf.Tensor) -> tuple:
        read = tf.numpy_function(read_rows, [rows], [tf.as_dtype(k) for k in kinds])
        shaped = tuple(
            tf.ensure_shape(tensor, [None, *array.shape[1:]])
            for tensor, array in zip(read, activations)
        )
        return _input(shaped), *(tf.gather(column, rows) for column in held)

    return take


def _input(tensors):
    """The tensors as Keras takes them: alone for one input, else as a tuple."""
    return tensors[0] if len(tensors) == 1 else tuple(tensors)
