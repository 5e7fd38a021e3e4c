"""Builds the networks for series, which have no pretrained weights."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from zoo.catalog.series import (
    FILTERS,
    INCEPTION_FILTERS,
    INCEPTION_KERNELS,
    INCEPTION_MODULES,
    KERNELS,
    RECURRENT_UNITS,
    RESIDUAL_FILTERS,
)
from zoo.spec import BackboneSpec

# Statistics have to follow within the few steps that small data give: Keras' 0.99 needs
# hundreds, and validation is of statistics that lag until then.
_MOMENTUM = 0.9
_MODULES_PER_SHORTCUT = 3
_RECURRENT = {"rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}


def network(
    spec: BackboneSpec, series: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature sequence of the network that `spec.handle` names.

    It has one vector for every step, and the weights fit any number of steps.
    """
    made = {"conv": _convolutions, "resnet": _residual, "inception": _inception}
    if spec.handle in made:
        return made[spec.handle](series)
    return _recurrent(spec.handle, series)


def _convolutions(x: keras.KerasTensor) -> keras.KerasTensor:
    for i, (filters, kernel) in enumerate(zip(FILTERS, KERNELS), start=1):
        x = layers.Conv1D(filters, kernel, padding="same", name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"block{i}_bn")(x)
        x = layers.ReLU(name=f"block{i}_activation")(x)
    return x


def _residual(x: keras.KerasTensor) -> keras.KerasTensor:
    """Three convolutions and a shortcut in each block."""
    for i, filters in enumerate(RESIDUAL_FILTERS, start=1):
        skip = x
        for j, kernel in enumerate(KERNELS, start=1):
            x = _normalized(
                layers.Conv1D(
                    filters, kernel, padding="same", name=f"block{i}_conv{j}"
                )(x),
                f"block{i}_bn{j}",
            )
            if j < len(KERNELS):
                x = layers.ReLU(name=f"block{i}_relu{j}")(x)
        x = _with_shortcut(x, skip, filters, f"block{i}")
    return x


def _inception(x: keras.KerasTensor) -> keras.KerasTensor:
    """Six modules of parallel convolutions, with a shortcut over every three."""
    skip = x
    for i in range(1, INCEPTION_MODULES + 1):
        x = _module(x, f"module{i}")
        if i % _MODULES_PER_SHORTCUT == 0:
            width = (len(INCEPTION_KERNELS) + 1) * INCEPTION_FILTERS
            x = _with_shortcut(x, skip, width, f"block{i // _MODULES_PER_SHORTCUT}")
            skip = x
    return x


def _module(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    narrow = x
    if x.shape[-1] > 1:
        narrow = _convolution(x, INCEPTION_FILTERS, 1, f"{name}_narrow")
    pooled = layers.MaxPooling1D(3, 1, padding="same", name=f"{name}_pool")(x)
    parts = [
        _convolution(narrow, INCEPTION_FILTERS, kernel, f"{name}_conv{kernel}")
        for kernel in INCEPTION_KERNELS
    ]
    parts.append(_convolution(pooled, INCEPTION_FILTERS, 1, f"{name}_pooled"))
    joined = layers.Concatenate(name=f"{name}_join")(parts)
    return layers.ReLU(name=f"{name}_relu")(_normalized(joined, f"{name}_bn"))


def _convolution(
    x: keras.KerasTensor, filters: int, kernel: int, name: str
) -> keras.KerasTensor:
    return layers.Conv1D(filters, kernel, padding="same", use_bias=False, name=name)(x)


def _with_shortcut(
    x: keras.KerasTensor, skip: keras.KerasTensor, filters: int, name: str
) -> keras.KerasTensor:
    if skip.shape[-1] != filters:
        skip = _convolution(skip, filters, 1, f"{name}_shortcut")
    skip = _normalized(skip, f"{name}_shortcut_bn")
    added = layers.Add(name=f"{name}_add")([x, skip])
    return layers.ReLU(name=f"{name}_output")(added)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=_MOMENTUM, name=name)(x)


def _recurrent(kind: str, x: keras.KerasTensor) -> keras.KerasTensor:
    for name in ("block1", "block2"):
        x = _layer(kind, name)(x)
    return x


def _layer(kind: str, name: str) -> layers.Layer:
    made = _RECURRENT[kind.removeprefix("bi")]
    if kind.startswith("bi"):
        inner = made(RECURRENT_UNITS, return_sequences=True)
        return layers.Bidirectional(inner, name=name)
    return made(RECURRENT_UNITS, return_sequences=True, name=name)
