"""Dropout of a part of a batch, as it would be of that part if the batch were whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from zoo.graph.blocks import layers_inside

# They multiply their inputs by noise, and by nothing that depends on the inputs.
_MULTIPLYING = (keras.layers.Dropout, keras.layers.GaussianDropout)


@contextlib.contextmanager
def noise_of_batch(
    model: keras.Model, *, replica: tf.Tensor, replicas: int
) -> Iterator[None]:
    """Inside, layers drop from the rows of a replica what one device would drop there.

    They draw for the whole batch and take their rows of it. Other layers that draw,
    such as recurrent ones with dropout, draw the same in every replica.
    """
    inner = [part for layer in model.layers for part in layers_inside(layer)]
    layers = [part for part in inner if isinstance(part, _MULTIPLYING)]
    try:
        for layer in layers:
            layer.call = _of_rows(layer, replica, replicas)
        yield
    finally:
        for layer in layers:
            # One that a model has twice has lost it already.
            layer.__dict__.pop("call", None)


def _of_rows(layer: keras.Layer, replica: tf.Tensor, replicas: int) -> Callable:
    of_class = type(layer).call

    def call(inputs, training=False):
        if not training or layer.rate == 0:
            return of_class(layer, inputs, training=training)
        # Of texts, sizes are known only when they are tokens.
        known = enumerate(inputs.shape)
        rows, *rest = [tf.shape(inputs)[i] if n is None else n for i, n in known]
        ones = tf.ones([rows * replicas, *rest], inputs.dtype)
        noise = of_class(layer, ones, training=True)
        return inputs * noise[replica * rows : (replica + 1) * rows]

    return call
