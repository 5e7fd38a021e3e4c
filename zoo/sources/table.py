"""Builds networks for rows of tables, and moves their weights to other columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from zoo.graph import columns as graph
from zoo.graph.columns import ColumnSums
from zoo.spec import BackboneSpec, Column

_DROPOUT = 0.2
_BLOCKS = 2


def entrance(spec: BackboneSpec, columns: Sequence[Column]) -> ColumnSums:
    """The layer that reads rows with these columns."""
    return ColumnSums(
        spec.feature_width,
        [(column.name, column.categories) for column in columns],
        autocast=False,
        name=graph.LAYER,
    )


def network(
    spec: BackboneSpec, sums: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The features `[batch, width]` of a residual network on sums of columns."""
    x = layers.ReLU(name="columns_activation")(sums)
    for i in range(1, _BLOCKS + 1):
        skip = x
        x = layers.Dense(spec.feature_width, activation="relu", name=f"block{i}")(x)
        x = layers.Dropout(_DROPOUT, name=f"block{i}_drop")(x)
        x = layers.Add(name=f"block{i}_add")([skip, x])
    return x


def transfer(source: keras.Model, target: keras.Model) -> None:
    """Gives a network the weights of one for other columns.

    For rows with the columns of both, the two give the same features, until the new
    columns are trained.
    """
    for layer in target.layers:
        if isinstance(layer, ColumnSums):
            graph.copy_columns(source.get_layer(layer.name), layer)
        elif layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def fit_scales(model: keras.Model, rows: np.ndarray) -> None:
    """Sets the scales of columns that have none by rows `[n, columns]`."""
    graph.fit_scales(model.get_layer(graph.LAYER), rows)
