"""A backbone as a reusable SavedModel, the form that TF Hub made common.

https://www.tensorflow.org/hub/reusable_saved_models. Anything that reads those can
train it: our `tfhub`, and `hub.KerasLayer` in tf_keras.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from zoo.saved_model.layer import SavedModelLayer

# TF Hub gives images to its modules in [0, 1]; our backbones take 0..255.
_WHITE = 255.0


def save_module(model: keras.Model, folder: Path) -> None:
    """Writes a backbone's model as a reusable SavedModel.

    It takes images float32 `[batch, size, size, 3]` in [0, 1], strings `[batch]`, or
    series `[batch, steps, channels]`, and gives a feature vector `[batch, width]`: the
    average over all places, or over all tokens.
    """
    takes = model.input
    spec = tf.TensorSpec(takes.shape, takes.dtype, name=takes.name)

    @tf.function
    def call(inputs, training=False):
        images = inputs * _WHITE if takes.name == "pixels" else inputs
        return _vector(model(images, training=training), is_text=takes.name == "text")

    for training in (True, False):
        call.get_concrete_function(spec, training=training)
    module = tf.train.Checkpoint(model=model)
    module.__call__ = call
    module.variables = [v.value for v in model.variables]
    module.trainable_variables = [v.value for v in model.trainable_variables]
    module.regularization_losses = _losses(model)
    tf.saved_model.save(module, str(folder))


def _vector(features: tf.Tensor, *, is_text: bool) -> tf.Tensor:
    x = tf.cast(features, tf.float32)
    rank = len(x.shape)
    if rank == 2:
        return x
    if not is_text:
        return tf.reduce_mean(x, axis=list(range(1, rank - 1)))
    # Padding is zeros, and does not count.
    is_token = tf.reduce_any(tf.not_equal(x, 0.0), axis=-1, keepdims=True)
    count = tf.reduce_sum(tf.cast(is_token, tf.float32), axis=1)
    return tf.reduce_sum(x, axis=1) / tf.maximum(count, 1.0)


def _losses(model: keras.Model) -> list[Callable[[], tf.Tensor]]:
    """The penalties on weights that the network was built with, to be called."""
    own: list[Callable[[], tf.Tensor]] = [
        functools.partial(_penalty, v)
        for v in model.trainable_variables
        if v.regularizer is not None
    ]
    inside = [
        loss
        for layer in model.layers
        if isinstance(layer, SavedModelLayer)
        for loss in layer.module.losses
    ]
    return [
        tf.function(functools.partial(_called, loss), input_signature=[])
        for loss in (*own, *inside)
    ]


def _called(loss: Callable[[], tf.Tensor]) -> tf.Tensor:
    return loss()


def _penalty(variable: keras.Variable) -> tf.Tensor:
    return variable.regularizer(variable)
