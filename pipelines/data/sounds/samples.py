"""The samples of a sound as a network hears them, as an array."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.sounds.decode import WaveHeaders, headers, samples


def samples_of(content: bytes, *, rate_hz: int, length_ms: int) -> np.ndarray:
    """The middle of a sound in -1..1 at this rate, float32 `[n]`.

    Nothing of bytes that are not a sound.
    """
    parts = headers(tf.constant([content]))
    header = WaveHeaders(*(part[0] for part in parts))
    most = rate_hz * length_ms // 1000
    return samples(tf.constant(content), header, rate_hz=rate_hz, most=most).numpy()


def envelope(
    content: bytes, *, rate_hz: int, length_ms: int, points: int
) -> list[float]:
    """The largest sample of each stretch of a sound, at most `points` of them."""
    x = np.abs(samples_of(content, rate_hz=rate_hz, length_ms=length_ms))
    stretches = np.array_split(x, min(points, len(x))) if len(x) else []
    return [float(f"{stretch.max():.4g}") for stretch in stretches]
