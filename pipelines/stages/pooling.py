"""From the features of a backbone to one vector for each example."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
from keras import layers, ops

from pipelines.errors import ConfigError
from pipelines.planning.plan import HeadPlan

RECURRENT = ("gru", "lstm", "bilstm")


@keras.saving.register_keras_serializable("zootune")
class TokenPooling(layers.Layer):
    """The average or maximum over the tokens of a text, `[batch, width]`.

    Takes `[batch, tokens, width]` with zeros where there is no token; those do not
    count. A text without any token gives zeros, where Keras' own pooling gives NaN.
    """

    def __init__(self, mode: str, **layer_options: object) -> None:
        super().__init__(**layer_options)
        if mode not in ("average", "max"):
            raise ValueError(f"mode must be 'average' or 'max'. Received: {mode!r}")
        self.mode = mode

    def call(self, features):
        # In float32: bfloat16 loses the ends of long sums.
        x = ops.cast(features, "float32")
        is_token = ops.any(x != 0, axis=-1, keepdims=True)
        if self.mode == "average":
            count = ops.sum(ops.cast(is_token, "float32"), axis=1)
            pooled = ops.sum(x, axis=1) / ops.maximum(count, 1.0)
        else:
            pooled = ops.max(ops.where(is_token, x, -1e9), axis=1)
            pooled = ops.where(ops.any(is_token, axis=1), pooled, 0.0)
        return ops.cast(pooled, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


def pooling_layers(
    features: keras.KerasTensor, plan: HeadPlan, *, modality: str
) -> tuple[list[layers.Layer], list[layers.Layer]]:
    """The layers that need no training, and those that do; either may be empty.

    `features` are a vector `[batch, width]`, which stays as it is, a sequence
    `[batch, steps, width]`, or a map `[batch, height, width, channels]`.

    Raises:
        ConfigError: if the plan reads a sequence and there is none.
    """
    rank = len(features.shape)
    if plan.pooling in RECURRENT:
        if rank != 3:
            raise ConfigError(
                f"config.head.pooling is '{plan.pooling}', which reads a sequence, but"
                f" the backbone gives features of shape {features.shape}. Use"
                " 'average'."
            )
        return _mask(modality), [_recurrent(plan)]
    if rank == 2:
        return [layers.Identity(name="pooled")], []
    if rank == 3 and modality == "text" and plan.pooling != "flatten":
        return [TokenPooling(plan.pooling, name="pooled")], []
    return [_POOLING[rank][plan.pooling](name="pooled")], []


_POOLING: dict[int, dict[str, Callable[..., layers.Layer]]] = {
    3: {
        "average": layers.GlobalAveragePooling1D,
        "max": layers.GlobalMaxPooling1D,
        "flatten": layers.Flatten,
    },
    4: {
        "average": layers.GlobalAveragePooling2D,
        "max": layers.GlobalMaxPooling2D,
        "flatten": layers.Flatten,
    },
}


def _mask(modality: str) -> list[layers.Layer]:
    """Padding is zeros; a series has none."""
    return [layers.Masking(0.0, name="padding")] if modality == "text" else []


def _recurrent(plan: HeadPlan) -> layers.Layer:
    make = {
        "gru": layers.GRU,
        "lstm": layers.LSTM,
        "bilstm": functools.partial(_bidirectional, layers.LSTM),
    }[plan.pooling]
    return make(plan.recurrent_units, name="pooled")


def _bidirectional(
    kind: Callable[..., layers.Layer], units: int, *, name: str
) -> layers.Layer:
    return layers.Bidirectional(kind(units), name=name)
