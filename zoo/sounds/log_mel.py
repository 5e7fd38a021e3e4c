"""The layer from the bytes of sounds to the energy of mel bands over time."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.sounds.decode import WaveHeaders, headers, samples

# Ten milliseconds, and a window of 32: speech stays the same for as long.
STEPS_PER_SECOND = 100
_WINDOW_SECONDS = 0.032
_LOWEST_HZ = 60.0
# Below the loudest band and moment; quieter is silence.
RANGE_DB = 80.0
_SMALLEST = 1e-10


def steps_for(length_ms: int) -> int:
    """The number of steps that a sound of this length is read as."""
    window_ms, step_ms = int(1000 * _WINDOW_SECONDS), 1000 // STEPS_PER_SECOND
    return 1 + max(length_ms - window_ms, 0) // step_ms


@keras.saving.register_keras_serializable("zootune")
class LogMel(keras.layers.Layer):
    """WAV files `[batch]` as series float32 `[batch, steps, bands]`, in decibels.

    A step is 10 ms. Values are from -80 to 0, which is the loudest band and moment of
    the sound: how loud it was recorded does not count. Steps after its end are NaN, and
    of a longer sound the middle is read. A file that is not valid is silence.

    Each sound is read by itself, so that a batch of any size gives the same bits.
    """

    def __init__(
        self, *, rate_hz: int, length_ms: int, bands: int, **layer_options: object
    ) -> None:
        super().__init__(**{"trainable": False, "autocast": False, **layer_options})
        self.rate_hz = rate_hz
        self.length_ms = length_ms
        self.bands = bands
        self._window = round(_WINDOW_SECONDS * rate_hz)
        self._hop = rate_hz // STEPS_PER_SECOND
        self._steps = steps_for(length_ms)
        # Strings do not exist on accelerators, and Keras would convert them to numbers.
        self.supports_jit = False
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True

    def call(self, content: Any) -> tf.Tensor:
        """The series of files `[batch]`."""
        with tf.device("CPU"):
            files = tf.convert_to_tensor(content, tf.string)
            parts = headers(files)
            series = tf.map_fn(
                lambda row: self._read(row[0], WaveHeaders(*row[1:])),
                (files, *parts),
                fn_output_signature=tf.TensorSpec([self._steps, self.bands]),
            )
            return tf.ensure_shape(series, (None, self._steps, self.bands))

    def _read(self, content: tf.Tensor, header: WaveHeaders) -> tf.Tensor:
        window, hop, steps = self._window, self._hop, self._steps
        longest = window + (steps - 1) * hop
        x = samples(content, header, rate_hz=self.rate_hz, most=longest)
        ends = 1 + tf.maximum(tf.size(x) - window, 0) // hop
        x = tf.pad(x, [[0, longest - tf.size(x)]])
        spectrum = tf.signal.stft(x, window, hop, fft_length=window)
        energy = tf.square(tf.abs(spectrum))
        energy = tf.matmul(energy, tf.constant(self._bands_of_bins()))
        loudest = tf.maximum(tf.reduce_max(energy), _SMALLEST)
        # Decibels below the loudest; a natural logarithm is what TensorFlow has.
        relative = tf.maximum(energy / loudest, 10.0 ** (-RANGE_DB / 10))
        decibels = 10.0 / np.float32(np.log(10.0)) * tf.math.log(relative)
        is_over = (tf.range(steps) >= ends)[:, None]
        return tf.where(is_over, np.float32("nan"), decibels)

    def _bands_of_bins(self) -> np.ndarray:
        """The share of each frequency in each band, `[window / 2 + 1, bands]`.

        Triangles that overlap by half, evenly on the mel scale.
        """
        highest = self.rate_hz / 2
        edges = np.linspace(_mel(_LOWEST_HZ), _mel(highest), self.bands + 2)
        bins = _mel(np.linspace(0.0, highest, self._window // 2 + 1))[:, None]
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
        return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)

    def compute_output_spec(self, content: keras.KerasTensor) -> keras.KerasTensor:
        """A symbolic tensor of series."""
        return keras.KerasTensor((*content.shape, self._steps, self.bands), "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        config = super().get_config()
        del config["trainable"]  # the same for every instance
        return {
            **config,
            "rate_hz": self.rate_hz,
            "length_ms": self.length_ms,
            "bands": self.bands,
        }


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
