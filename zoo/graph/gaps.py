"""Missing values of series, filled in the graph: NaN marks them."""

from __future__ import annotations

import tensorflow as tf


def lengths(series: tf.Tensor) -> tf.Tensor:
    """The steps up to the last value in any channel, int32 `[batch]`, at least 1.

    What comes after is padding: shorter series end in NaN.
    """
    steps = tf.range(1, series.shape[1] + 1)
    is_value = tf.reduce_any(_is_value(series), axis=2)
    return tf.maximum(tf.reduce_max(tf.where(is_value, steps, 0), axis=1), 1)


def filled(series: tf.Tensor) -> tf.Tensor:
    """Series `[batch, steps, channels]` with a number in place of every NaN.

    Inside it lies on the line between its neighbours; before the first and after the
    last value it is that value. A channel without any value becomes zeros.
    """
    is_value = _is_value(series)
    steps = tf.range(series.shape[1], dtype=tf.float32)[None, :, None]
    before = _running_maximum(tf.where(is_value, steps, -1.0))
    after = _reversed(_running_maximum(_reversed(tf.where(is_value, -steps, -_FAR))))
    after = -after
    has_before, has_after = before >= 0.0, after < _FAR
    first = tf.where(has_before, before, tf.where(has_after, after, 0.0))
    last = tf.where(has_after, after, first)
    values = tf.where(is_value, series, 0.0)
    start, end = _taken(values, first), _taken(values, last)
    share = (steps - first) / tf.maximum(last - first, 1.0)
    between = start + (end - start) * share
    # An own value stays as it is, bit for bit.
    return tf.where(is_value, series, between)


# Larger than any step, and exact in float32.
_FAR = float(2**23)


def _is_value(series: tf.Tensor) -> tf.Tensor:
    return tf.logical_not(tf.math.is_nan(series))


def _reversed(x: tf.Tensor) -> tf.Tensor:
    return tf.reverse(x, axis=[1])


def _running_maximum(x: tf.Tensor) -> tf.Tensor:
    """The maximum of every step and all before it, in a logarithm of passes."""
    steps, shift = x.shape[1], 1
    while shift < steps:
        start = tf.zeros_like(x[:, :shift]) - _FAR
        x = tf.maximum(x, tf.concat([start, x[:, :-shift]], axis=1))
        shift *= 2
    return x


def _taken(values: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """The values at these steps, each in its own series and channel."""
    by_channel = tf.transpose(values, [0, 2, 1])
    places = tf.cast(tf.transpose(steps, [0, 2, 1]), tf.int32)
    taken = tf.gather(by_channel, places, axis=2, batch_dims=2)
    return tf.transpose(taken, [0, 2, 1])
