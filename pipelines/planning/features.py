"""Activations at a boundary of the network, computed once instead of once per epoch."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

# An array for each tensor that crosses the boundary; most boundaries have one.
Activations = tuple[np.ndarray, ...]


def extract(base: keras.Model, batches: tf.data.Dataset) -> Activations:
    """What `base` gives for every example in order, `[examples, ...]`.

    Float32, or whole numbers where it gives ids.

    Runs in inference mode: no dropout, BatchNorm with its own statistics.
    """
    inputs_spec, _ = batches.element_spec

    @tf.function(input_signature=[inputs_spec])
    def infer(inputs):
        return base(inputs, training=False)

    parts = [
        tuple(_kept(t.numpy()) for t in tf.nest.flatten(infer(inputs)))
        for inputs, _ in batches
    ]
    return tuple(np.concatenate(tensors) for tensors in zip(*parts))


def _kept(array: np.ndarray) -> np.ndarray:
    """Floats of any precision as float32, and ids as they are."""
    is_exact = array.dtype.kind in "iub"
    return array if is_exact else array.astype(np.float32)


def size_bytes(base: keras.Model, examples: int) -> int:
    """The memory that `extract` needs for so many examples."""
    per_example = sum(
        int(np.prod(output.shape[1:])) for output in tf.nest.flatten(base.output)
    )
    return examples * per_example * np.dtype(np.float32).itemsize
