"""Preprocessing as layers, so that a served model takes the pixels that came in."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.graph.gaps import filled
from zoo.spec import PixelConvention

_Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("zootune")
class PixelNormalization(keras.layers.Layer):
    """RGB pixels 0..255 to `(pixels - mean) / std` in the network's channel order.

    Takes and gives `[batch, height, width, 3]`; the result has the compute dtype.
    Unlike `keras.applications.*.preprocess_input` it leaves the caller's array alone.
    """

    def __init__(
        self,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        channels: str,
        **layer_options: object,
    ) -> None:
        super().__init__(**layer_options)
        if channels not in ("rgb", "bgr"):
            raise ValueError(f"channels must be 'rgb' or 'bgr'. Received: {channels!r}")
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.channels = channels

    def call(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        """Normalized pixels, in the channel order of the network."""
        # Normalised in float32: bfloat16 has 8 bits and would merge grey levels.
        x = ops.cast(pixels, "float32")
        if self.channels == "bgr":
            x = ops.flip(x, axis=-1)
        x = (x - ops.array(self.mean)) / ops.array(self.std)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape: _Shape) -> _Shape:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            **super().get_config(),
            "mean": self.mean,
            "std": self.std,
            "channels": self.channels,
        }


@keras.saving.register_keras_serializable("zootune")
class SeriesNormalization(keras.layers.Layer):
    """Every channel of every series brought to mean 0 and deviation 1 over its steps.

    Takes and gives `[batch, steps, channels]`. So a network that was trained on one
    sensor can be used on another one with other units; that a whole series is high or
    low is lost, as it is in the UCR archive (https://arxiv.org/abs/1810.07758). A
    channel that does not change becomes zeros. NaN is a missing value: it counts for
    neither, and `zoo.graph.gaps` fills it.
    """

    def call(self, series: keras.KerasTensor) -> keras.KerasTensor:
        """Normalized series."""
        # In float32: bfloat16 would lose small changes on top of a large mean.
        x = ops.cast(series, "float32")
        there = ops.logical_not(ops.isnan(x))
        count = ops.maximum(
            ops.sum(ops.cast(there, "float32"), axis=1, keepdims=True), 1.0
        )
        mean = ops.sum(ops.where(there, x, 0.0), axis=1, keepdims=True) / count
        squares = ops.square(ops.where(there, x - mean, 0.0))
        variance = ops.sum(squares, axis=1, keepdims=True) / count
        x = filled(x)
        # Relative: rounding errors around a large mean are not a signal.
        floor = ops.maximum(1e-6 * ops.abs(mean), 1e-12)
        deviation = ops.sqrt(variance)
        x = ops.where(
            deviation > floor, (x - mean) / ops.maximum(deviation, floor), 0.0
        )
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape: _Shape) -> _Shape:
        """The shape of the input."""
        return input_shape


def series_layer() -> SeriesNormalization:
    """The layer from raw series, in any unit, to what networks for series read."""
    return SeriesNormalization(autocast=False, name="series_normalization")


def layer(convention: PixelConvention) -> PixelNormalization:
    """The layer from raw RGB pixels 0..255 to what the network was trained on."""
    return PixelNormalization(
        mean=convention.mean,
        std=convention.std,
        channels=convention.channels,
        # Inputs are raw pixels of any dtype; autocast would round them to bfloat16.
        autocast=False,
        name="pixel_normalization",
    )
