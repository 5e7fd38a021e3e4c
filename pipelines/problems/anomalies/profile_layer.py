"""The matrix profile as the last layer of a head: a score, and one by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from pipelines.probing.profile import ProfileDetector
from pipelines.problems.anomalies.by_step import mean_by_step
from zoo.graph.gaps import filled

# Below it only rounding is left, and the root of that is larger than it.
_LEAST_SQUARE = 1e-9


@keras.saving.register_keras_serializable("zootune")
class ProfileScores(keras.layers.Layer):
    """From features and series `[batch, length, channels]` to `[batch, 1 + length]`.

    It is `ProfileDetector` in the graph: the score, and how strange each step is. What
    is missing of a series is filled first; the features are not read. Nothing in it
    trains.
    """

    def __init__(self, steps: int, windows: int, **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.steps, self.windows = steps, windows

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Makes the variables, which a detector fills."""
        _, length, channels = input_shape[1]
        if length is None or channels is None:
            raise ValueError("The length of the series has to be known.")

        def fixed(name: str, *shape: int) -> Any:
            return self.add_weight(
                shape=shape, initializer="ones", trainable=False, name=name
            )

        self.bank = fixed("bank", self.windows, self.steps * channels)
        self.flat, self.usual = fixed("flat", channels), fixed("usual", length)
        self.length = length

    def call(self, inputs: Sequence[Any]) -> Any:
        """The score, and the strangeness of each step; see the class."""
        _, series = inputs
        x = ops.cast(filled(ops.cast(series, "float32")), "float64")
        # One after the other: distances to all normal windows take much memory.
        distances = tf.map_fn(self._distances, x)
        distances = ops.reshape(distances, (-1, self.length - self.steps + 1))
        strange = mean_by_step([distances] * self.steps)
        strange /= ops.cast(self.usual, "float64")
        score = ops.max(strange, axis=1, keepdims=True)
        return ops.cast(ops.concatenate([score, strange], axis=1), "float32")

    def _distances(self, series: tf.Tensor) -> tf.Tensor:
        """Of the windows of one series `[length, channels]`, float64 `[windows]`."""
        windows = self.length - self.steps + 1
        parts = ops.stack([series[j : j + windows] for j in range(self.steps)], axis=1)
        away = parts - ops.mean(parts, axis=1, keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(away), axis=1, keepdims=True))
        is_flat = deviation < ops.cast(self.flat, "float64")
        shapes = ops.where(is_flat, 0.0, away / ops.where(is_flat, 1.0, deviation))
        shapes = ops.reshape(shapes, (windows, -1))
        bank = ops.cast(self.bank, "float64")
        apart = ops.sum(ops.square(bank), axis=1) - 2.0 * ops.matmul(
            shapes, ops.transpose(bank)
        )
        nearest = ops.sum(ops.square(shapes), axis=1) + ops.min(apart, axis=1)
        squares = ops.maximum(nearest, 0.0) + _LEAST_SQUARE
        return ops.sqrt(squares / (2.0 * bank.shape[1]))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """A column for the score, and one for each step."""
        return (input_shape[1][0], 1 + input_shape[1][1])

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {
            **super().get_config(),
            "steps": self.steps,
            "windows": self.windows,
        }


def profile_layer(detector: ProfileDetector) -> ProfileScores:
    """The layer of a detector, with its numbers."""
    profile = detector.profile
    if profile is None:
        raise ValueError("The normal windows are chosen first.")
    layer = ProfileScores(profile.steps, len(profile.bank), name="anomaly_by_step")
    width = detector.kernel.shape[0]
    layer.build([(None, width), (None, len(profile.usual), len(profile.flat))])
    layer.set_weights([profile.bank, profile.flat, profile.usual])
    return layer
