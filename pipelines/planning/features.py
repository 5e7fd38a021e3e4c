"""Features of the frozen base, computed once instead of once per epoch."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def extract(base: keras.Model, batches: tf.data.Dataset) -> np.ndarray:
    """What the base gives for every example in order, float32 `[examples, ...]`.

    Runs in inference mode: no dropout, BatchNorm with its own statistics.
    """

    pixels_spec, _ = batches.element_spec

    @tf.function(input_signature=[pixels_spec])
    def infer(pixels):
        return base(pixels, training=False)

    parts = [infer(pixels).numpy().astype(np.float32) for pixels, _ in batches]
    return np.concatenate(parts)
