"""The two networks of a DCGAN: one draws images of a class, and one judges them."""

from __future__ import annotations

import dataclasses

import keras
from keras import layers

from pipelines.methods.generator.settings import GeneratorSettings

# Of Radford et al., https://arxiv.org/abs/1511.06434.
_SLOPE, _MOMENTUM = 0.2, 0.8
_KERNEL = 5


@dataclasses.dataclass(frozen=True)
class Shape:
    """What is drawn: the side and the channels of an image, and how many classes."""

    size_px: int
    channels: int
    classes: int


def drawer_of(shape: Shape, settings: GeneratorSettings) -> keras.Model:
    """From noise `[n, noise]` and one-hot classes to images from -1 to 1.

    A quarter of the size first, which two transposed convolutions double.
    """
    noise = keras.Input((settings.noise,), name="noise")
    label = keras.Input((shape.classes,), name="label")
    start, filters = shape.size_px // 4, 2 * settings.filters
    x = layers.Concatenate()([noise, label])
    x = layers.Dense(start * start * filters, use_bias=False)(x)
    x = layers.Reshape((start, start, filters))(_activated(x))
    x = layers.Conv2DTranspose(
        settings.filters, _KERNEL, strides=2, padding="same", use_bias=False
    )(x)
    x = layers.Conv2DTranspose(
        shape.channels, _KERNEL, strides=2, padding="same", activation="tanh"
    )(_activated(x))
    return keras.Model([noise, label], x, name="drawer")


def judge_of(shape: Shape, settings: GeneratorSettings) -> keras.Model:
    """From images and one-hot classes to a logit: above 0 where they seem real.

    The class comes in as planes beside the channels (https://arxiv.org/abs/1411.1784).
    """
    size = shape.size_px
    image = keras.Input((size, size, shape.channels), name="image")
    label = keras.Input((shape.classes,), name="label")
    planes = layers.UpSampling2D(size)(layers.Reshape((1, 1, shape.classes))(label))
    x = layers.Concatenate()([image, planes])
    for filters in (settings.filters, 2 * settings.filters):
        x = layers.Conv2D(filters, _KERNEL, strides=2, padding="same")(x)
        x = layers.Dropout(0.3)(layers.LeakyReLU(_SLOPE)(x))
    logit = layers.Dense(1)(layers.Flatten()(x))
    return keras.Model([image, label], logit, name="judge")


def _activated(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))
