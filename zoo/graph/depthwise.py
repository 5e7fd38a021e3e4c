"""Depthwise convolutions whose wide filters train fast on a CPU.

TensorFlow's kernel for CPUs (oneDNN, TensorFlow 2.21) is fast for gradients of filters
of up to three columns. For wider ones, such as the 5x5 of EfficientNet, it goes another
way: 6 to 16 times as long as for 3x3, and 40 percent of a step that trains the upper
half of EfficientNet-Lite0. The gradient of a filter is made of the gradients of its
columns, so wide filters are taken three columns at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

_FAST_COLUMNS = 3
# With oneDNN's kernels for these; float64 has none.
_DTYPES = (tf.float32, tf.bfloat16)


def trainable_depthwise_conv(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    *,
    strides: Sequence[int],
    padding: str,
    dilation_rate: Sequence[int],
    data_format: str,
) -> tf.Tensor:
    """The result of `keras.ops.depthwise_conv`, with a fast gradient of the kernel.

    The gradient is the same sum in another order.
    """
    options = {
        "strides": strides,
        "padding": padding,
        "dilation_rate": dilation_rate,
        "data_format": data_format,
    }
    if not (
        inputs.shape.rank == 4
        and inputs.shape[1:].is_fully_defined()
        and inputs.dtype in _DTYPES
        and data_format == "channels_last"
        and set(dilation_rate) == {1}
        and kernel.shape[1] > _FAST_COLUMNS
        and not tf.config.list_physical_devices("GPU")
    ):
        return keras.ops.depthwise_conv(inputs, kernel, **options)

    @tf.custom_gradient
    def convolve(inputs, kernel):
        def gradients(upstream):
            of_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(inputs),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, *strides, 1],
                padding=padding.upper(),
            )
            return of_inputs, _of_columns(inputs, kernel.shape, upstream, options)

        return keras.ops.depthwise_conv(inputs, kernel, **options), gradients

    return convolve(inputs, kernel)


def _of_columns(
    inputs: tf.Tensor, shape: tf.TensorShape, upstream: tf.Tensor, options: dict
) -> tf.Tensor:
    """The gradient of a kernel of a shape: the gradients of its columns, joined.

    The last three may have been taken before: then less of the map has to be cut off.
    """
    rows, columns, *channels = shape
    strides, maps = options["strides"], zip(inputs.shape[1:3], upstream.shape[1:3])
    (top, bottom), (left, _) = (
        _padding(*sizes, width, stride) if options["padding"] == "same" else (0, 0)
        for sizes, width, stride in zip(maps, shape[:2], strides)
    )
    read = (upstream.shape[2] - 1) * strides[1] + _FAST_COLUMNS
    last = columns - _FAST_COLUMNS
    gradients, taken = [], 0
    for first in (*range(0, last, _FAST_COLUMNS), last):
        before, behind = left - first, first + read - left - inputs.shape[2]
        within = inputs[:, :, max(-before, 0) : inputs.shape[2] + min(behind, 0)]
        sides = [max(before, 0), max(behind, 0)]
        gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=tf.pad(within, [[0, 0], [top, bottom], sides, [0, 0]]),
            filter_sizes=[rows, _FAST_COLUMNS, *channels],
            out_backprop=upstream,
            strides=[1, *strides, 1],
            padding="VALID",
        )
        gradients.append(gradient[:, taken - first :])
        taken = first + _FAST_COLUMNS
    return tf.concat(gradients, axis=1)


def _padding(size: int, outputs: int, width: int, stride: int) -> tuple[int, int]:
    """The padding that TensorFlow's "SAME" adds before and behind."""
    whole = max((outputs - 1) * stride + width - size, 0)
    return whole // 2, whole - whole // 2
