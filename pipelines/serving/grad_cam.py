"""Grad-CAM in the graph: the places in an image that spoke for a class.

Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391.
"""

from __future__ import annotations

import tensorflow as tf

# A maximum this small beside what was added up is rounding, and no place to look at.
_LEAST = 1e-3


def grad_cam(score: tf.Tensor, feature_map: tf.Tensor) -> tf.Tensor:
    """Heat in [0, 1], float32 `[batch, height, width]`, for one score per example.

    `feature_map` is `[batch, height, width, channels]`, and `score` `[batch]` must
    follow from it in the same graph: this is called inside of a `tf.function`. Each
    channel counts by how much more of it would raise the score, averaged over the map;
    what lowers the score is 0. The hottest place is 1, unless nothing stands out.
    """
    (gradient,) = tf.gradients(score, feature_map)
    features = tf.cast(feature_map, tf.float32)
    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=[1, 2], keepdims=True)
    parts = weights * features
    heat = tf.nn.relu(tf.reduce_sum(parts, axis=-1))
    added_up = tf.reduce_sum(tf.abs(parts), axis=-1)
    hottest, most = (
        tf.reduce_max(x, axis=[1, 2], keepdims=True) for x in (heat, added_up)
    )
    return tf.math.divide_no_nan(heat, tf.maximum(hottest, _LEAST * most))
