"""The layer that makes a picture of the mel bands of a sound."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.sounds.log_mel import RANGE_DB


@keras.saving.register_keras_serializable("zootune")
class SpectrogramPicture(keras.layers.Layer):
    """Decibels `[batch, steps, bands]` as grey pixels `[batch, size, size, 3]`.

    Time runs to the right and frequency upwards; silence, and what comes after the end
    of a sound, is black, and the loudest white.
    """

    def __init__(self, size_px: int, **layer_options: object) -> None:
        super().__init__(**layer_options)
        self.size_px = size_px

    def call(self, bands: keras.KerasTensor) -> keras.KerasTensor:
        """The pixels, float32 0..255."""
        x = ops.cast(bands, "float32")
        x = ops.where(ops.isnan(x), -RANGE_DB, x)
        grey = (x + RANGE_DB) * (255.0 / RANGE_DB)
        upright = ops.flip(ops.transpose(grey, (0, 2, 1)), axis=1)[..., None]
        size = (self.size_px, self.size_px)
        resized = ops.image.resize(upright, size, data_format="channels_last")
        return ops.repeat(resized, 3, axis=3)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """`(batch, size, size, 3)`."""
        return (input_shape[0], self.size_px, self.size_px, 3)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "size_px": self.size_px}
