"""The detector of windows as the last layer of a head: a score, and one by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from pipelines.probing.windows import WindowDetector
from pipelines.problems.anomalies.by_step import mean_by_step
from zoo.graph.gaps import filled


@keras.saving.register_keras_serializable("zootune")
class WindowScores(keras.layers.Layer):
    """From features and series `[batch, length, channels]` to `[batch, 1 + length]`.

    It is `WindowDetector` in the graph: the score, and how strange each step is. What
    is missing of a series is filled first; the features are not read. Nothing in it
    trains.
    """

    def __init__(self, steps: int, directions: int, **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.steps, self.directions = steps, directions

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Makes the variables, which a detector fills."""
        _, length, channels = input_shape[1]
        if length is None or channels is None:
            raise ValueError("The length of the series has to be known.")

        def fixed(name: str, *shape: int) -> Any:
            return self.add_weight(
                shape=shape, initializer="ones", trainable=False, name=name
            )

        self.mean, self.scale = fixed("mean", channels), fixed("scale", channels)
        self.center = fixed("center", self.steps * channels)
        self.axes = fixed("axes", self.steps * channels, self.directions)
        self.usual = fixed("usual", length)
        self.length, self.channels = length, channels

    def call(self, inputs: Sequence[Any]) -> Any:
        """The score, and the strangeness of each step; see the class."""
        _, series = inputs

        def exact(variable: Any) -> Any:
            return ops.cast(variable, "float64")

        x = ops.cast(filled(ops.cast(series, "float32")), "float64")
        x = (x - exact(self.mean)) / exact(self.scale)
        windows = self.length - self.steps + 1
        parts = [x[:, j : j + windows] for j in range(self.steps)]
        whole = ops.concatenate(parts, axis=2) - exact(self.center)
        axes = exact(self.axes)
        inside = ops.matmul(ops.matmul(whole, axes), ops.transpose(axes))
        squares = ops.reshape(
            ops.square(whole - inside), (-1, windows, self.steps, self.channels)
        )
        squares = ops.mean(squares, axis=3)
        strange = mean_by_step([squares[:, :, j] for j in range(self.steps)])
        strange /= exact(self.usual)
        mean = ops.mean(ops.square(strange), axis=1, keepdims=True)
        both = ops.concatenate([ops.sqrt(mean), strange], axis=1)
        return ops.cast(ops.sqrt(both), "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """A column for the score, and one for each step."""
        return (input_shape[1][0], 1 + input_shape[1][1])

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {
            **super().get_config(),
            "steps": self.steps,
            "directions": self.directions,
        }


def window_layer(detector: WindowDetector) -> WindowScores:
    """The layer of a detector, with its numbers."""
    model = detector.windows
    if model is None:
        raise ValueError("The model of windows is fitted first.")
    layer = WindowScores(model.steps, model.axes.shape[1], name="anomaly_by_step")
    width = detector.kernel.shape[0]
    layer.build([(None, width), (None, len(model.usual), len(model.mean))])
    layer.set_weights([model.mean, model.scale, model.center, model.axes, model.usual])
    return layer
