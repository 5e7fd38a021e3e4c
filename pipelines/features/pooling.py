"""From the features of a backbone to one vector for each example."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from pipelines.errors import ConfigError
from pipelines.planning.plan import HeadPlan
from zoo.graph.blocks import Block

RECURRENT = ("rnn", "gru", "lstm", "bigru", "bilstm")


@keras.saving.register_keras_serializable("zootune")
class TokenPooling(layers.Layer):
    """The average or maximum over the tokens of a text, `[batch, width]`.

    Takes `[batch, tokens, width]`; zeros mark padding and do not count. A text without
    any token gives zeros (Keras' own pooling gives NaN).
    """

    def __init__(self, mode: str, **layer_options: object) -> None:
        super().__init__(**layer_options)
        if mode not in ("average", "max"):
            raise ValueError(f"mode must be 'average' or 'max'. Received: {mode!r}")
        self.mode = mode

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
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

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable("zootune")
class GridPooling(layers.Layer):
    """The average over each cell of a grid on a map or a series, side by side.

    Takes `[batch, height, width, channels]` and gives `[batch, grid**2 * channels]`,
    or `[batch, steps, channels]` and gives `[batch, grid * channels]`. Where a side is
    odd, the cells overlap by one; where it is shorter than the grid, it is one cell.
    """

    def __init__(self, grid: int, **layer_options: object) -> None:
        super().__init__(**layer_options)
        self.grid = grid

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._shape = tuple(input_shape[1:])

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        # In float32: bfloat16 loses the ends of long sums.
        x = ops.cast(features, "float32")
        if None in x.shape[1:]:
            # Layers that count at run time, as DINOv3's do, lose what Keras knows.
            x = ops.reshape(x, (-1, *self._shape))
        sides = x.shape[1:-1]
        cells = [-(-side // self.grid) if side >= self.grid else side for side in sides]
        # The first and the last cell touch the ends of a side; steps divide the rest.
        steps = [
            max(1, (side - cell) // (self.grid - 1)) for side, cell in zip(sides, cells)
        ]
        pooled = ops.average_pool(x, cells, steps, padding="valid")
        vector = (math.prod(pooled.shape[1:]),)
        return ops.cast(ops.reshape(pooled, (-1, *vector)), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable("zootune")
class Standardize(layers.Layer):
    """`(features - mean) / scale`, measured once and never trained."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        def fixed(name: str, initializer: str):
            return self.add_weight(
                shape=input_shape[-1:],
                initializer=initializer,
                trainable=False,
                dtype="float32",
                autocast=False,
                name=name,
            )

        self.mean, self.scale = fixed("mean", "zeros"), fixed("scale", "ones")

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        scaled = (ops.cast(features, "float32") - self.mean) / self.scale
        return ops.cast(scaled, self.compute_dtype)


def token_average(features: keras.KerasTensor) -> keras.KerasTensor:
    """The average over the tokens of texts; vectors `[batch, width]` stay unchanged."""
    if len(features.shape) == 2:
        return features
    return TokenPooling("average", name="measured_tokens")(features)


def pool_block(block: Block, *, grid: int, name: str) -> keras.KerasTensor:
    """The output of a block as one vector for each example, `[batch, width]`."""
    return pool_map(block.output, grid=grid, name=name)


def pool_map(features: keras.KerasTensor, *, grid: int, name: str) -> keras.KerasTensor:
    """Features as one vector for each example, `[batch, width]`."""
    if len(features.shape) == 2:
        return layers.Identity(name=name)(features)
    if grid == 1:
        rank = len(features.shape)
        return _POOLING[rank]["average"](name=name)(features)
    return GridPooling(grid, name=name)(features)


def pooling_layers(
    features: keras.KerasTensor, plan: HeadPlan, *, modality: str
) -> tuple[list[layers.Layer], list[layers.Layer]]:
    """The layers without weights to train, and those with; either may be empty.

    `features` are a vector `[batch, width]`, which stays as it is, a sequence
    `[batch, steps, width]`, or a map `[batch, height, width, channels]`.

    Raises:
        ConfigError: if the plan reads a sequence and the features are something else.
    """
    rank = len(features.shape)
    if plan.pooling in RECURRENT:
        if rank != 3:
            raise ConfigError(
                f"config.head.pooling='{plan.pooling}' reads a sequence, but the"
                f" backbone gives features of shape {features.shape}. Use 'average'."
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
    """A layer that masks the zeros that pad texts; none for a series."""
    return [layers.Masking(0.0, name="padding")] if modality == "text" else []


def _recurrent(plan: HeadPlan) -> layers.Layer:
    make = {
        "rnn": layers.SimpleRNN,
        "gru": layers.GRU,
        "lstm": layers.LSTM,
        "bigru": functools.partial(_bidirectional, layers.GRU),
        "bilstm": functools.partial(_bidirectional, layers.LSTM),
    }[plan.pooling]
    return make(plan.recurrent_units, name="pooled")


def _bidirectional(
    kind: Callable[..., layers.Layer], units: int, *, name: str
) -> layers.Layer:
    return layers.Bidirectional(kind(units), name=name)
