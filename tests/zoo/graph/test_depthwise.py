"""Gradients of wide depthwise filters are what TensorFlow gives, by another way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.graph.depthwise import trainable_depthwise_conv

RANDOM = np.random.default_rng(0)


def _both(maps, kernel, **how):
    """What comes out, and its gradients: of ours, and of Keras."""
    how = {"strides": (1, 1), "padding": "same", "dilation_rate": (1, 1), **how}
    how["data_format"] = "channels_last"
    for function in (trainable_depthwise_conv, keras.ops.depthwise_conv):

        @tf.function
        def run(maps, kernel, function=function):
            with tf.GradientTape() as tape:
                tape.watch((maps, kernel))
                found = function(maps, kernel, **how)
                loss = tf.reduce_sum(tf.cast(found, tf.float32) ** 2)
            return found, *tape.gradient(loss, (maps, kernel))

        yield (
            run(maps, kernel),
            [
                one.type
                for one in run.get_concrete_function(
                    maps, kernel
                ).graph.get_operations()
            ],
        )


def _given(height, width, rows, columns, multiplier=1, dtype="float32"):
    maps = RANDOM.normal(size=(3, height, width, 6))
    kernel = RANDOM.normal(size=(rows, columns, 6, multiplier)) / rows
    return tf.cast(maps, dtype), tf.cast(kernel, dtype)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(5, 5), (3, 4), (2, 6), (7, 7), (9, 11)])
@pytest.mark.parametrize("size", [(11, 12), (14, 13)])
def test_it_is_the_same(size, kernel, stride, padding):
    given = _given(*size, *kernel)
    how = {"strides": (stride, stride), "padding": padding}
    (ours, ops), (keras_own, _) = _both(*given, **how)
    for one, wanted in zip(ours, keras_own):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4)
    assert ops.count("DepthwiseConv2dNativeBackpropFilter") == -(-kernel[1] // 3)


def test_maps_smaller_than_the_filter():
    (ours, _), (keras_own, _) = _both(*_given(2, 3, 5, 5))
    for one, wanted in zip(ours, keras_own):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("multiplier", "dtype"), [(2, "float32"), (1, "bfloat16")])
def test_several_filters_and_bfloat16(multiplier, dtype):
    given = _given(8, 8, 5, 5, multiplier, dtype)
    (ours, _), (keras_own, _) = _both(*given, strides=(2, 2))
    scale = {"float32": 1e-5, "bfloat16": 2e-2}[dtype]
    for one, wanted in zip(ours, keras_own):
        one, wanted = np.float32(one), np.float32(wanted)
        np.testing.assert_allclose(one, wanted, atol=scale * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("kernel", "how", "dtype"),
    [
        ((5, 3), {}, "float32"),
        ((5, 5), {"dilation_rate": (2, 2)}, "float32"),
        ((5, 5), {}, "float64"),
    ],
)
def test_what_gains_nothing_is_keras_own(kernel, how, dtype):
    (ours, ops), (keras_own, wanted) = _both(
        *_given(12, 12, *kernel, dtype=dtype), **how
    )
    assert ops == wanted
    np.testing.assert_array_equal(ours[2], keras_own[2])


def test_maps_of_unknown_size():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 6])])
    def gradient(maps):
        kernel = tf.ones([5, 5, 6, 1])
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            found = trainable_depthwise_conv(
                maps,
                kernel,
                strides=(1, 1),
                padding="same",
                dilation_rate=(1, 1),
                data_format="channels_last",
            )
        return tape.gradient(found, kernel)

    assert gradient(tf.ones([2, 7, 7, 6])).shape == (5, 5, 6, 1)
