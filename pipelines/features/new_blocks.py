"""New residual blocks under a head, which start as identity.

A network that is cut has nothing above the cut that is made for the new data. A
residual block there can learn it, and the head starts as good as without: what the
block adds begins at zero.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from pipelines.errors import ConfigError

# A wider hidden layer has more weights than few examples can fit.
_MOST_FILTERS = 128
_HEADS = 4


@keras.saving.register_keras_serializable("zootune")
class ResidualBlock(layers.Layer):
    """A residual block of convolutions that starts as identity.

    Takes a map `[batch, height, width, channels]`, or a series `[batch, steps,
    channels]`, and gives the same shape: the inputs, plus a convolution of three cells
    a side on the normalized inputs and one of a single cell, which starts at zero.
    """

    def __init__(self, filters: int, **layer_options: Any) -> None:
        super().__init__(**layer_options)
        self.filters = filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        convolution = layers.Conv2D if len(input_shape) == 4 else layers.Conv1D
        own = {"dtype": self.dtype_policy}
        self.norm = layers.LayerNormalization(name="norm", **own)
        self.inner = convolution(
            self.filters,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name="inner",
            **own,
        )
        self.outer = convolution(
            input_shape[-1], 1, kernel_initializer="zeros", name="outer", **own
        )
        self.norm.build(input_shape)
        self.inner.build(input_shape)
        self.outer.build((*input_shape[:-1], self.filters))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return ops.add(inputs, self.outer(self.inner(self.norm(inputs))))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("zootune")
class TokenBlock(layers.Layer):
    """A small transformer block that starts as identity.

    Takes the tokens of texts `[batch, tokens, width]`, zero at padding, and gives the
    same shape, zero at padding: the inputs, plus attention among the tokens outside the
    padding and a dense layer of `filters`, each behind one that starts at zero.
    """

    def __init__(self, filters: int, **layer_options: Any) -> None:
        super().__init__(**layer_options)
        self.filters = filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = input_shape[-1]
        own = {"dtype": self.dtype_policy}
        self.norm = layers.LayerNormalization(name="norm", **own)
        self.attention = layers.MultiHeadAttention(
            _HEADS, max(1, self.filters // _HEADS), name="attention", **own
        )
        self.attended = layers.Dense(
            width, kernel_initializer="zeros", name="attended", **own
        )
        self.inner_norm = layers.LayerNormalization(name="inner_norm", **own)
        self.inner = layers.Dense(self.filters, activation="relu", name="inner", **own)
        self.outer = layers.Dense(
            width, kernel_initializer="zeros", name="outer", **own
        )
        for layer in (self.norm, self.attended, self.inner_norm, self.inner):
            layer.build(input_shape)
        self.attention.build(input_shape, input_shape)
        self.outer.build((*input_shape[:-1], self.filters))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        is_token = ops.any(inputs != 0, axis=-1)
        kept = ops.cast(ops.expand_dims(is_token, -1), self.compute_dtype)
        read = self.norm(inputs)
        mask = ops.expand_dims(is_token, 1)
        attended = self.attention(read, read, attention_mask=mask)
        x = ops.add(inputs, self.attended(attended) * kept)
        return ops.add(x, self.outer(self.inner(self.inner_norm(x))) * kept)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


def new_blocks(
    features: keras.KerasTensor, *, count: int, modality: str
) -> list[layers.Layer]:
    """New residual blocks for features, which start as identity.

    Raises:
        ConfigError: if the features are a vector, which has no places to combine.
    """
    rank, width = len(features.shape), int(features.shape[-1])
    if rank == 2:
        raise ConfigError(
            f"config.head.conv_blocks is {count}, and the backbone gives a vector of"
            f" {width} numbers, which has no places that a block could combine. Use"
            " config.head.hidden_units with head.init='zeros', or another backbone."
        )
    make = TokenBlock if rank == 3 and modality == "text" else ResidualBlock
    filters = min(width, _MOST_FILTERS)
    return [make(filters, name=f"new_block_{i}") for i in range(count)]
