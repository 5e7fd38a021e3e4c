"""The detector as the last layer of a head."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.probing.detector import Detector

# Below it only rounding is left, and the root of that is larger than it.
_LEAST_SQUARE = 1e-9


@keras.saving.register_keras_serializable("zootune")
class AnomalyScore(keras.layers.Layer):
    """From standardized features `[batch, width]` to scores `[batch, 1]`.

    It is `Detector.scores` in the graph: `method` is `dfm`, `pca` or `nearest`, and
    `neighbours` the number of normal examples that it knows, 0 for other methods.
    Nothing in it trains. It computes in float64: what is left outside of the main
    directions is small beside the whole.
    """

    def __init__(
        self, method: str, directions: int, neighbours: int, **layer_options: object
    ) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.method, self.directions = method, directions
        self.neighbours = neighbours

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables, which a detector fills."""

        def fixed(name: str, shape: tuple[int | None, ...]) -> Any:
            return self.add_weight(
                shape=shape, initializer="ones", trainable=False, name=name
            )

        self.axes = fixed("axes", (input_shape[-1], self.directions))
        # One over the variance of each direction, and of the rest behind them.
        self.precision = fixed("precision", (self.directions + 1,))
        if self.neighbours:
            self.places = fixed("places", (self.neighbours, self.directions))

    def call(self, features: Any) -> Any:
        """The scores; see the class."""
        x, axes = ops.cast(features, "float64"), ops.cast(self.axes, "float64")
        precision = ops.cast(self.precision, "float64")
        inside = ops.matmul(x, axes)
        squares = ops.square(inside)
        rest = ops.sum(ops.square(x), axis=1) - ops.sum(squares, axis=1)
        rest = ops.maximum(rest, 0.0) * precision[-1]
        if self.method == "dfm":
            rest = rest + ops.sum(squares * precision[:-1], axis=1)
        if self.method == "nearest":
            places = ops.cast(self.places, "float64")
            apart = ops.sum(squares, axis=1, keepdims=True) - 2.0 * ops.matmul(
                inside, ops.transpose(places)
            )
            apart = ops.min(apart + ops.sum(ops.square(places), axis=1), axis=1)
            rest = rest + ops.maximum(apart, 0.0) * precision[-1]
        return ops.cast(ops.sqrt(rest + _LEAST_SQUARE), "float32")[:, None]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """One column."""
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {
            **super().get_config(),
            "method": self.method,
            "directions": self.directions,
            "neighbours": self.neighbours,
        }


def score_layer(detector: Detector, method: str) -> AnomalyScore:
    """The layer of a detector that scores by `method`, with its numbers."""
    width, directions = detector.kernel.shape
    places = detector.neighbours if method == "nearest" else None
    layer = AnomalyScore(
        method,
        directions,
        0 if places is None else len(places),
        name="anomaly_score",
    )
    layer.build((None, width))
    variances = np.append(detector.variances, detector.outside_variance)
    weights = [detector.kernel, (1 / variances).astype(np.float32)]
    layer.set_weights(weights if places is None else [*weights, places])
    return layer
