"""Builds the networks for series, which have no pretrained weights."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from zoo.catalog.series import FILTERS, KERNELS, RECURRENT_UNITS
from zoo.spec import BackboneSpec

# Statistics have to follow within the few steps that small data give: Keras' 0.99 needs
# hundreds, and validation is of statistics that lag until then.
_MOMENTUM = 0.9
_RECURRENT = {"rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}


def network(
    spec: BackboneSpec, series: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature sequence of the network that `spec.handle` names.

    It has one vector for every step, and the weights fit any number of steps.
    """
    if spec.handle == "conv":
        return _convolutions(series)
    return _recurrent(spec.handle, series)


def _convolutions(x: keras.KerasTensor) -> keras.KerasTensor:
    for i, (filters, kernel) in enumerate(zip(FILTERS, KERNELS), start=1):
        x = layers.Conv1D(filters, kernel, padding="same", name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"block{i}_bn")(x)
        x = layers.ReLU(name=f"block{i}_activation")(x)
    return x


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
