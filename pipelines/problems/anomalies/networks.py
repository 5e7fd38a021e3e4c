"""Autoencoders of series: a row for each network, from series to code and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
from keras import layers

_HIDDEN, _CODE = 64, 16
# Of the convolutions: three strides of 2 each way.
_FILTERS, _CHANNELS_OF_CODE, _STRIDES = (16, 24), 8, 8
# Of the recurrent one: parts that a series is cut into, so that few steps remain.
_PARTS, _UNITS = 16, 48

# An encoder from `[length, channels]` to a code, and a decoder from there to the same.
Coder = tuple[keras.Model, keras.Model]


def dense(length: int, channels: int, *, codes: int) -> Coder:
    """Layers that read the whole series at once, with a narrow one between them."""
    series = keras.Input((length, channels))
    x = layers.Dense(_HIDDEN, activation="relu")(layers.Flatten()(series))
    encoder = keras.Model(series, layers.Dense(codes * _CODE)(x))
    code = keras.Input((_CODE,))
    x = layers.Dense(_HIDDEN, activation="relu")(code)
    x = layers.Dense(length * channels)(x)
    return encoder, keras.Model(code, layers.Reshape((length, channels))(x))


def convolutional(length: int, channels: int, *, codes: int) -> Coder:
    """Convolutions that halve the steps three times, and double them again."""
    series = keras.Input((length, channels))
    missing = -length % _STRIDES
    x = layers.ZeroPadding1D((0, missing))(series)
    same = {"strides": 2, "padding": "same"}
    for filters in _FILTERS:
        x = layers.Conv1D(filters, 5, activation="relu", **same)(x)
    encoder = keras.Model(
        series, layers.Conv1D(codes * _CHANNELS_OF_CODE, 5, **same)(x)
    )
    code = keras.Input(((length + missing) // _STRIDES, _CHANNELS_OF_CODE))
    x = code
    for filters in reversed(_FILTERS):
        x = layers.Conv1DTranspose(filters, 5, activation="relu", **same)(x)
    x = layers.Conv1DTranspose(channels, 5, **same)(x)
    return encoder, keras.Model(code, layers.Cropping1D((0, missing))(x))


def recurrent(length: int, channels: int, *, codes: int) -> Coder:
    """Gated units that read parts of a series in turn, and write them again."""
    series = keras.Input((length, channels))
    steps = -(-length // _PARTS)
    parts = -(-length // steps)
    missing = parts * steps - length
    x = layers.ZeroPadding1D((0, missing))(series)
    x = layers.Reshape((parts, steps * channels))(x)
    encoder = keras.Model(series, layers.Dense(codes * _CODE)(layers.GRU(_UNITS)(x)))
    code = keras.Input((_CODE,))
    x = layers.GRU(_UNITS, return_sequences=True)(layers.RepeatVector(parts)(code))
    x = layers.Reshape((parts * steps, channels))(layers.Dense(steps * channels)(x))
    return encoder, keras.Model(code, layers.Cropping1D((0, missing))(x))


NETWORKS: Mapping[str, Callable[..., Coder]] = {
    "dense": dense,
    "convolutional": convolutional,
    "recurrent": recurrent,
}
