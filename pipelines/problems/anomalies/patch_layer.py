"""The detector of patches as the last layer of a head: a score, and a map of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.probing.patches import PatchDetector

# Below it only rounding is left, and the root of that is larger than it.
_LEAST_SQUARE = 1e-9


@keras.saving.register_keras_serializable("zootune")
class NearestPatches(keras.layers.Layer):
    """From features and cells `[batch, side**2 * channels]` to `[batch, 1 + cells]`.

    It is `PatchDetector` in the graph: the largest distance of a patch to the nearest
    normal one, and that distance for each cell, row by row. The features are not read.
    Nothing in it trains.
    """

    def __init__(
        self, side: int, channels: int, patches: int, **layer_options: object
    ) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.side, self.channels, self.patches = side, channels, patches

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Makes the variables, which a detector fills."""

        def fixed(name: str, *shape: int) -> Any:
            return self.add_weight(
                shape=shape, initializer="ones", trainable=False, name=name
            )

        self.bank = fixed("bank", self.patches, self.channels)
        self.scale = fixed("scale", self.channels)

    def call(self, inputs: Sequence[Any]) -> Any:
        """The score and the map; see the class."""
        shape = (-1, self.side, self.side, self.channels)
        maps = ops.reshape(ops.cast(inputs[1], "float32"), shape)
        # Cells outside of a map are not counted.
        maps = ops.average_pool(maps, 3, 1, padding="same")
        x = ops.reshape(maps, (-1, self.side**2, self.channels))
        x = ops.cast(x, "float64") / ops.cast(self.scale, "float64")
        bank = ops.cast(self.bank, "float64")
        apart = ops.sum(ops.square(bank), axis=1) - 2.0 * ops.matmul(
            x, ops.transpose(bank)
        )
        squares = ops.sum(ops.square(x), axis=2) + ops.min(apart, axis=2)
        distances = ops.sqrt(ops.maximum(squares, 0.0) + _LEAST_SQUARE)
        score = ops.max(distances, axis=1, keepdims=True)
        return ops.cast(ops.concatenate([score, distances], axis=1), "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """A column for the score, and one for each cell."""
        return (input_shape[0][0], 1 + self.side**2)

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {
            **super().get_config(),
            "side": self.side,
            "channels": self.channels,
            "patches": self.patches,
        }


def patch_layer(detector: PatchDetector) -> NearestPatches:
    """The layer of a detector, with its numbers."""
    bank = detector.bank
    if bank is None:
        raise ValueError("The patches are chosen first.")
    patches, channels = bank.patches.shape
    side = round(np.sqrt(bank.cells))
    layer = NearestPatches(side, channels, patches, name="anomaly_map")
    layer.build([(None, detector.kernel.shape[0]), (None, bank.cells * channels)])
    layer.set_weights([bank.patches, bank.scale])
    return layer
