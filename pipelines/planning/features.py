"""Activations at a boundary of the network, computed once instead of once per epoch."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

# An array for each tensor that crosses the boundary; most boundaries have one.
Activations = tuple[np.ndarray, ...]


def extract(base: keras.Model, batches: tf.data.Dataset) -> Activations:
    """What `base` gives for every example in order, float32 `[examples, ...]`.

    Runs in inference mode: no dropout, BatchNorm with its own statistics.
    """
    pixels_spec, _ = batches.element_spec

    @tf.function(input_signature=[pixels_spec])
    def infer(pixels):
        return base(pixels, training=False)

    parts = [
        tuple(t.numpy().astype(np.float32) for t in tf.nest.flatten(infer(pixels)))
        for pixels, _ in batches
    ]
    return tuple(np.concatenate(tensors) for tensors in zip(*parts))


def size_bytes(base: keras.Model, examples: int) -> int:
    """The memory that `extract` needs for so many examples."""
    per_example = sum(
        int(np.prod(output.shape[1:])) for output in tf.nest.flatten(base.output)
    )
    return examples * per_example * np.dtype(np.float32).itemsize
