"""The detector of places as the last layer of a head: a score, and a map of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from pipelines.probing.cells import MapDetector
from pipelines.problems.anomalies.score_layer import AnomalyScore, score_layer

# Below it only rounding is left, and the root of that is larger than it.
_LEAST_SQUARE = 1e-9


@keras.saving.register_keras_serializable("zootune")
class AnomalyMap(keras.layers.Layer):
    """From features `[batch, width]` and cells to `[batch, 1 + cells]`.

    It is `MapDetector` in the graph: the score, and the distance of each cell, row by
    row. Takes standardized averages of blocks, and cells `[batch, cells * channels]`.
    With `directions` the score is the sum of both, each over its unit; without, the
    largest distance of a cell. Nothing in it trains.
    """

    def __init__(
        self,
        cells: int,
        channels: int,
        directions: int = 0,
        units: Sequence[float] = (1.0, 1.0),
        **layer_options: object,
    ) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.cells, self.channels = cells, channels
        self.directions, self.units = directions, tuple(units)

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Makes the variables, which a detector fills."""

        def fixed(name: str, *shape: int) -> Any:
            return self.add_weight(
                shape=shape, initializer="ones", trainable=False, name=name
            )

        self.mean = fixed("mean", self.cells, self.channels)
        self.whitening = fixed("whitening", self.cells, self.channels, self.channels)
        self.whole: AnomalyScore | None = None
        if self.directions:
            self.whole = AnomalyScore("dfm", self.directions, 0, name="whole")
            self.whole.build(tuple(input_shape[0]))

    def call(self, inputs: Sequence[Any]) -> Any:
        """The score and the map; see the class."""
        features, cells = inputs
        x = ops.reshape(ops.cast(cells, "float64"), (-1, self.cells, self.channels))
        away = ops.transpose(x - ops.cast(self.mean, "float64"), (1, 0, 2))
        by_cell = ops.matmul(away, ops.cast(self.whitening, "float64"))
        squares = ops.transpose(ops.sum(ops.square(by_cell), axis=2))
        distances = ops.cast(ops.sqrt(squares + _LEAST_SQUARE), "float32")
        score = ops.max(distances, axis=1, keepdims=True)
        if self.whole is not None:
            whole = self.whole(features)
            score = whole / self.units[0] + score / self.units[1]
        return ops.concatenate([score, distances], axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """A column for the score, and one for each cell."""
        return (input_shape[0][0], 1 + self.cells)

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {
            **super().get_config(),
            "cells": self.cells,
            "channels": self.channels,
            "directions": self.directions,
            "units": self.units,
        }


def map_layer(detector: MapDetector) -> AnomalyMap:
    """The layer of a detector, with its numbers."""
    if detector.cells is None:
        raise ValueError("The Gaussians of the cells are fitted first.")
    cells, channels = detector.cells.mean.shape
    width, directions = detector.kernel.shape
    layer = AnomalyMap(
        cells,
        channels,
        directions if detector.method == "sum" else 0,
        detector.units,
        name="anomaly_map",
    )
    layer.build([(None, width), (None, cells * channels)])
    layer.mean.assign(detector.cells.mean)
    layer.whitening.assign(detector.cells.whitening)
    if layer.whole is not None:
        layer.whole.set_weights(score_layer(detector, "dfm").get_weights())
    return layer
