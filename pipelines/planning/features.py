"""Activations at a boundary of the network, computed once instead of once per epoch."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

# An array for each tensor that crosses the boundary; most boundaries have one.
Activations = tuple[np.ndarray, ...]


def extract(
    base: keras.Model,
    batches: tf.data.Dataset,
    *,
    dtype: type[np.floating] = np.float32,
    on_progress: Callable[[int], None] | None = None,
) -> Activations:
    """What `base` gives for every example in order, `[examples, ...]`.

    Floats come as `dtype` (those that float16 cannot hold as float32), ids as they are.
    `on_progress` is called after every batch with the number of examples so far.

    Runs in inference mode: no dropout, BatchNorm with its own statistics.
    """
    inputs_spec, _ = batches.element_spec

    @tf.function(input_signature=[inputs_spec])
    def infer(inputs):
        return base(inputs, training=False)

    parts, done = [], 0
    for inputs, labels in batches:
        given = tf.nest.flatten(infer(inputs))
        parts.append(tuple(_kept(tensor.numpy(), dtype) for tensor in given))
        done += len(labels)
        if on_progress is not None:
            on_progress(done)
    return tuple(np.concatenate(tensors) for tensors in zip(*parts))


def _kept(array: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
    if array.dtype.kind in "iub":
        return array
    wide = array.astype(np.float32)
    too_large = dtype is np.float16 and np.abs(wide).max(initial=0) > 65504
    return wide if too_large else wide.astype(dtype)


def size_bytes(base: keras.Model, examples: int) -> int:
    """The memory that `extract` needs for so many examples."""
    per_example = sum(
        int(np.prod(output.shape[1:])) for output in tf.nest.flatten(base.output)
    )
    return examples * per_example * np.dtype(np.float32).itemsize
