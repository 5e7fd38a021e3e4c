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
    series, code = _series(length, channels), _code(_CODE)
    x = layers.Flatten(name="values")(series)
    x = layers.Dense(_HIDDEN, activation="relu", name="hidden")(x)
    x = layers.Dense(codes * _CODE, name="narrow")(x)
    y = layers.Dense(_HIDDEN, activation="relu", name="hidden")(code)
    y = layers.Dense(length * channels, name="values")(y)
    y = layers.Reshape((length, channels), name="steps")(y)
    return _coder(series, x, code, y)


def convolutional(length: int, channels: int, *, codes: int) -> Coder:
    """Convolutions that halve the steps three times, and double them again."""
    missing = -length % _STRIDES
    series = _series(length, channels)
    code = _code((length + missing) // _STRIDES, _CHANNELS_OF_CODE)
    x = layers.ZeroPadding1D((0, missing), name="padding")(series)
    same = {"strides": 2, "padding": "same"}
    for i, filters in enumerate(_FILTERS):
        relu = {"activation": "relu", "name": f"halves_{i}"}
        x = layers.Conv1D(filters, 5, **relu, **same)(x)
    narrow = codes * _CHANNELS_OF_CODE
    x = layers.Conv1D(narrow, 5, name="narrow", **same)(x)
    y = code
    for i, filters in enumerate(reversed(_FILTERS)):
        relu = {"activation": "relu", "name": f"doubles_{i}"}
        y = layers.Conv1DTranspose(filters, 5, **relu, **same)(y)
    y = layers.Conv1DTranspose(channels, 5, name="steps", **same)(y)
    y = layers.Cropping1D((0, missing), name="cropping")(y)
    return _coder(series, x, code, y)


def recurrent(length: int, channels: int, *, codes: int) -> Coder:
    """Gated units that read parts of a series in turn, and write them again."""
    series, code = _series(length, channels), _code(_CODE)
    steps = -(-length // _PARTS)
    parts = -(-length // steps)
    missing = parts * steps - length
    x = layers.ZeroPadding1D((0, missing), name="padding")(series)
    x = layers.Reshape((parts, steps * channels), name="parts")(x)
    x = layers.GRU(_UNITS, name="reads")(x)
    x = layers.Dense(codes * _CODE, name="narrow")(x)
    y = layers.RepeatVector(parts, name="parts")(code)
    y = layers.GRU(_UNITS, return_sequences=True, name="writes")(y)
    y = layers.Dense(steps * channels, name="values")(y)
    y = layers.Reshape((parts * steps, channels), name="steps")(y)
    y = layers.Cropping1D((0, missing), name="cropping")(y)
    return _coder(series, x, code, y)


# All is named, so that a saved network has the same bytes: Keras' own names count what
# the process has built.
def _series(length: int, channels: int) -> keras.KerasTensor:
    return keras.Input((length, channels), name="series")


def _code(*shape: int) -> keras.KerasTensor:
    return keras.Input(shape, name="code")


def _coder(
    series: keras.KerasTensor,
    to: keras.KerasTensor,
    code: keras.KerasTensor,
    back: keras.KerasTensor,
) -> Coder:
    encoder = keras.Model(series, to, name="encoder")
    return encoder, keras.Model(code, back, name="decoder")


NETWORKS: Mapping[str, Callable[..., Coder]] = {
    "dense": dense,
    "convolutional": convolutional,
    "recurrent": recurrent,
}
