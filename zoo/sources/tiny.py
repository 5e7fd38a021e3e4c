"""Builds the tiny networks of the catalog, which have no pretrained weights."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from zoo.spec import BackboneSpec

_WIDTH = 16


def network(
    spec: BackboneSpec, inputs: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """A residual network with what large ones have: BatchNorm, a skip, dropout."""
    return _NETWORKS[spec.modality](spec, inputs)


def _image(spec: BackboneSpec, pixels: keras.KerasTensor) -> keras.KerasTensor:
    x = _convolution(pixels, filters=_WIDTH, strides=2, name="stem")
    skip = x
    x = _convolution(x, filters=_WIDTH, strides=1, name="block1")
    x = layers.Dropout(0.1, noise_shape=(None, 1, 1, 1), name="block1_drop")(x)
    x = layers.Add(name="block1_add")([skip, x])
    x = _convolution(x, filters=spec.feature_width, strides=2, name="block2")
    return layers.SeparableConv2D(
        spec.feature_width, 3, padding="same", activation="relu", name="block3_conv"
    )(x)


def _series(spec: BackboneSpec, series: keras.KerasTensor) -> keras.KerasTensor:
    x = _convolution(series, filters=_WIDTH, strides=2, name="stem")
    skip = x
    x = _convolution(x, filters=_WIDTH, strides=1, name="block1")
    x = layers.Dropout(0.1, noise_shape=(None, 1, 1), name="block1_drop")(x)
    x = layers.Add(name="block1_add")([skip, x])
    return _convolution(x, filters=spec.feature_width, strides=2, name="block2")


def _text(spec: BackboneSpec, ids: keras.KerasTensor) -> keras.KerasTensor:
    """Features are zeros where there is no token, so that padding changes nothing."""
    is_token = ops.expand_dims(ops.cast(ops.not_equal(ids, 0), "float32"), -1)
    x = layers.Embedding(spec.token_ids, spec.feature_width, name="embedding")(ids)
    x = layers.Multiply(name="embedded")([x, is_token])
    skip = x
    x = layers.LayerNormalization(name="block1_norm")(x)
    x = layers.Conv1D(spec.feature_width, 3, padding="same", name="block1_conv")(x)
    x = layers.Dropout(0.1, name="block1_drop")(x)
    x = layers.Add(name="block1_add")([skip, x])
    x = layers.LayerNormalization(name="block2_norm")(x)
    x = layers.Conv1D(spec.feature_width, 3, padding="same", name="block2_conv")(x)
    return layers.Multiply(name="block2_tokens")([x, is_token])


_NETWORKS = {"image": _image, "text": _text, "series": _series}


def _convolution(
    x: keras.KerasTensor, *, filters: int, strides: int, name: str
) -> keras.KerasTensor:
    convolution = layers.Conv2D if len(x.shape) == 4 else layers.Conv1D
    x = convolution(
        filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    # Tiny runs have few steps: at the default of 0.99 the statistics would lag behind.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_activation")(x)
