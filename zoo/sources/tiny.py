"""Builds the tiny networks of the catalog, which have no pretrained weights."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from zoo.spec import BackboneSpec


def network(
    spec: BackboneSpec, pixels: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """A residual network with what large ones have: BatchNorm, a skip, dropout."""
    x = _convolution(pixels, filters=16, strides=2, name="stem")
    skip = x
    x = _convolution(x, filters=16, strides=1, name="block1")
    x = layers.Dropout(0.1, noise_shape=(None, 1, 1, 1), name="block1_drop")(x)
    x = layers.Add(name="block1_add")([skip, x])
    x = _convolution(x, filters=spec.feature_width, strides=2, name="block2")
    return layers.SeparableConv2D(
        spec.feature_width, 3, padding="same", activation="relu", name="block3_conv"
    )(x)


def _convolution(
    x: keras.KerasTensor, *, filters: int, strides: int, name: str
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    # Tiny runs have few steps: at the default of 0.99 the statistics would lag behind.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_activation")(x)
