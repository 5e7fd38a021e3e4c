"""Blocks of a network that no row describes end where it is narrow."""

import keras
from keras import layers

from zoo.graph.boundaries import find_boundaries


def ends(model, transformer_layers=()):
    return [(b.block, b.layer) for b in find_boundaries(model, transformer_layers)]


def residual():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    for unit in ("first", "second"):
        y = layers.Conv2D(4, 3, padding="same", name=f"{unit}_conv")(x)
        x = layers.Add(name=f"{unit}_add")([x, y])
        x = layers.ReLU(name=f"{unit}_relu")(x)
    return keras.Model(inputs, x)


def test_residual_units_are_blocks():
    assert ends(residual()) == [
        ("stem", "Conv2D#1"),
        ("first_relu", "ReLU#1"),
        ("second_conv", "output"),
    ]


def test_chain_ends_blocks_where_maps_shrink():
    x = inputs = keras.Input((8, 8, 3))
    for number in (1, 2):
        x = layers.Conv2D(4, 3, padding="same", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Conv2D(4, 1, name="last")(x)
    blocks = ends(keras.Model(inputs, x))
    assert [end for _, end in blocks] == ["MaxPooling2D#1", "MaxPooling2D#2", "output"]


def test_transformer_layers_are_blocks_each():
    x = inputs = keras.Input((4, 8))
    x = layers.Dense(8, name="embed")(x)
    parts = [layers.Dense(8, name=f"layer{number}") for number in (1, 2)]
    for part in parts:
        x = part(x)
    blocks = ends(keras.Model(inputs, x), parts)
    assert [end for _, end in blocks] == ["Dense#1", "Dense#2", "output"]


def test_names_are_unique_and_leave_head_free():
    x = inputs = keras.Input((4, 8))
    parts = [layers.Dense(8, name=name) for name in ("Head", "a-b", "a_b", "end")]
    for part in parts:
        x = part(x)
    names = [block for block, _ in ends(keras.Model(inputs, x), parts)]
    assert len(set(names)) == len(names)
    assert "head" not in names
