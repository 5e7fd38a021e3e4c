"""Multiply-adds of layers, by hand; the counts of catalog rows are in another test."""

import keras

from zoo.graph.multiply_adds import multiply_adds


def test_multiply_adds_of_layers_are_those_by_hand():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, 2, padding="same")(inputs)  # 4 x 4 x 4 x 27
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 4 x 4 x 4 x 9
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(6, 1, groups=2)(keras.layers.ReLU()(x))  # 4 x 4 x 6 x 2
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))  # 96 x 5
    assert multiply_adds(keras.Model(inputs, x)) == 1728 + 576 + 192 + 480


def test_multiply_adds_in_loops_are_unknown():
    inputs = keras.Input((8, 3))
    assert multiply_adds(keras.Model(inputs, keras.layers.LSTM(4)(inputs))) is None
