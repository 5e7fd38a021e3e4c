"""An autoencoder of series as the last layer of a head: a score, and one by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from pipelines.problems.anomalies.autoencoder import AutoencoderDetector
from zoo.graph.gaps import filled


@keras.saving.register_keras_serializable("zootune")
class ReconstructionScores(keras.layers.Layer):
    """From features and series `[batch, length, channels]` to `[batch, 1 + length]`.

    The score, and how wrong `network` repeats each step, about 1 where that is usual.
    What is missing of a series is filled first; the features are not read.
    """

    def __init__(self, network: keras.Model, **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.network = network

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Makes the variables, which a detector fills."""
        _, length, channels = input_shape[1]

        def fixed(name: str, size: int | None) -> Any:
            return self.add_weight(
                shape=(size,), initializer="ones", trainable=False, name=name
            )

        self.mean, self.scale = fixed("mean", channels), fixed("scale", channels)
        self.usual = fixed("usual", length)

    def call(self, inputs: Sequence[Any]) -> Any:
        """The score, and the strangeness of each step; see the class."""
        _, series = inputs
        x = (filled(ops.cast(series, "float32")) - self.mean) / self.scale
        wrong = ops.cast(self.network(x, training=False) - x, "float64")
        squares = ops.mean(ops.square(wrong), axis=2)
        strange = squares / ops.cast(self.usual, "float64")
        mean = ops.mean(ops.square(strange), axis=1, keepdims=True)
        both = ops.concatenate([ops.sqrt(mean), strange], axis=1)
        return ops.cast(ops.sqrt(both), "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """A column for the score, and one for each step."""
        return (input_shape[1][0], 1 + input_shape[1][1])

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ReconstructionScores:
        """The layer of its settings, with the network that they describe."""
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})


def reconstruction_layer(detector: AutoencoderDetector) -> ReconstructionScores:
    """The layer of a detector, with its numbers."""
    if detector.network is None:
        raise ValueError("The autoencoder is trained first.")
    layer = ReconstructionScores(detector.network, name="anomaly_by_step")
    width = detector.kernel.shape[0]
    layer.build([(None, width), (None, len(detector.usual), len(detector.mean))])
    layer.mean.assign(detector.mean)
    layer.scale.assign(detector.scale)
    layer.usual.assign(detector.usual)
    return layer
