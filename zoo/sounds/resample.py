"""Sounds brought to another rate, in the graph: a spectrum that is cut or padded."""

from __future__ import annotations

import tensorflow as tf

# Periods of both rates are taken by as many, so that no length is a large prime.
_PERIODS = 8


def resampled(x: tf.Tensor, rate_hz: tf.Tensor, *, to_hz: int, most: int) -> tf.Tensor:
    """One sound `[n]` of this rate at another one, float32 of at most `most` samples.

    Frequencies that the new rate cannot hold are cut away. The sound has silence
    behind it, which keeps its end apart from its start.
    """

    def change() -> tf.Tensor:
        shared = _greatest_divisor(rate_hz, tf.constant(to_hz))
        before, after = rate_hz // shared, to_hz // shared
        count = tf.size(x)
        periods = -(-(count + count // _PERIODS) // before)
        periods = _PERIODS * tf.maximum(-(-periods // _PERIODS), 1)
        source, target = periods * before, periods * after
        spectrum = tf.signal.rfft(x, [source])
        kept = tf.minimum(source, target) // 2 + 1
        missing = target // 2 + 1 - kept
        spectrum = tf.pad(spectrum[:kept], [[0, missing]])
        scale = tf.cast(target, tf.float32) / tf.cast(source, tf.float32)
        new = tf.signal.irfft(spectrum, [target]) * scale
        length = tf.cast(tf.cast(count, tf.int64) * to_hz, tf.int64)
        length = tf.cast(length // tf.cast(rate_hz, tf.int64), tf.int32)
        return new[: tf.minimum(length, most)]

    return tf.cond(tf.equal(rate_hz, to_hz), lambda: x[:most], change)


def _greatest_divisor(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The largest number that divides both."""
    divisor, _ = tf.while_loop(
        lambda a, b: b > 0, lambda a, b: (b, tf.math.floormod(a, b)), (a, b)
    )
    return divisor
