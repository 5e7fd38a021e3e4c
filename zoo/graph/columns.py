"""The first layer of networks for tables: every column adds to the same units.

It is a dense layer on scaled numbers, on marks of missing values and on categories one
by one. The weights of a column belong to it alone, so that they can move to a network
for other columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from zoo.spec import Column

LAYER = "columns"
# The rows of a column of categories begin with these two.
_UNKNOWN, _MISSING, _SPECIAL = 0, 1, 2
# A category that training has only once is as good as one that it has not.
LEAST_EXAMPLES = 2
# Scaled numbers stay below it, however far a value lies outside.
_MOST_DEVIATIONS = 8.0
_MOST_BEFORE = 1e6
# Of a normal distribution, the distance of its quartiles in deviations.
_QUARTILES_APART = 1.349


@keras.saving.register_keras_serializable("zootune")
class ColumnSums(keras.layers.Layer):
    """Sums `[batch, units]` of what each column of rows `[batch, columns]` adds.

    A number is scaled by the median and the quartiles of the training data, and pressed
    below 8 deviations; a missing one counts as the median, and a weight of its own is
    added. A category adds its own weights; one that training had less than twice adds
    those of unknown ones.

    `columns` are pairs of a name and a list of categories, or None for numbers. `scale`
    of a column is 0 until `fit_scales`, and numbers are read as they are.
    """

    def __init__(
        self,
        units: int,
        columns: Sequence[tuple[str, Sequence[str] | None]],
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.units = units
        self.columns = tuple(
            Column(name, None if categories is None else tuple(categories))
            for name, categories in columns
        )
        self.numbers = [i for i, c in enumerate(self.columns) if c.is_number]
        self.kinds = [i for i, c in enumerate(self.columns) if not c.is_number]
        sizes = [_SPECIAL + len(self.columns[i].categories or ()) for i in self.kinds]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of every column."""

        def weight(name: str, shape: tuple[int, ...], initial: Any, trains: bool):
            return self.add_weight(
                shape=shape, initializer=initial, trainable=trains, name=name
            )

        count, rows = len(self.numbers), int(self.starts[-1])
        # As a dense layer on all inputs would begin.
        spread = keras.initializers.RandomUniform(
            *(
                (sign * (6.0 / (len(self.columns) + self.units)) ** 0.5)
                for sign in (-1, 1)
            )
        )
        self.bias = weight("bias", (self.units,), "zeros", True)
        if count:
            self.centre = weight("centre", (count,), "zeros", False)
            self.scale = weight("scale", (count,), "zeros", False)
            self.of_numbers = weight("of_numbers", (count, self.units), spread, True)
            self.of_missing = weight("of_missing", (count, self.units), "zeros", True)
        if rows:
            self.known = weight("known", (rows,), "zeros", False)
            self.of_categories = weight(
                "of_categories", (rows, self.units), spread, True
            )

    def call(self, table: keras.KerasTensor) -> keras.KerasTensor:
        """The sums of all columns."""
        table = ops.cast(table, "float32")
        total = ops.broadcast_to(self.bias, (ops.shape(table)[0], self.units))
        if self.numbers:
            values = ops.take(table, np.array(self.numbers, np.int32), axis=1)
            is_missing = ops.isnan(values)
            scale = ops.where(self.scale > 0, self.scale, 1.0)
            scaled = ops.where(is_missing, 0.0, (values - self.centre) / scale)
            scaled = ops.clip(scaled, -_MOST_BEFORE, _MOST_BEFORE)
            pressed = scaled / ops.sqrt(1.0 + ops.square(scaled / _MOST_DEVIATIONS))
            total = total + ops.matmul(pressed, self.of_numbers)
            total = total + ops.matmul(ops.cast(is_missing, "float32"), self.of_missing)
        if self.kinds:
            rows = self._rows(ops.take(table, np.array(self.kinds, np.int32), axis=1))
            total = total + ops.sum(ops.take(self.of_categories, rows, axis=0), axis=1)
        return ops.cast(total, self.compute_dtype)

    def _rows(self, codes: keras.KerasTensor) -> keras.KerasTensor:
        """The rows of weights of categories, int32 `[batch, columns]`."""
        starts = self.starts[:-1][None, :]
        sizes = np.diff(self.starts)[None, :]
        is_missing = ops.isnan(codes)
        places = ops.cast(ops.where(is_missing, 0.0, codes), "int32")
        is_listed = ops.logical_and(places > 0, places < sizes - 1)
        rows = ops.where(is_listed, places + (_SPECIAL - 1), _UNKNOWN)
        rows = ops.where(is_missing, _MISSING, rows) + starts
        return ops.where(ops.take(self.known, rows, axis=0) > 0.5, rows, starts)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """One vector for each row."""
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            **super().get_config(),
            "units": self.units,
            "columns": [(c.name, c.categories) for c in self.columns],
        }


def columns_of(model: keras.Model) -> tuple[Column, ...]:
    """The columns that a model for tables takes, in order."""
    return model.get_layer(LAYER).columns


def fit_scales(layer: ColumnSums, rows: np.ndarray) -> None:
    """Sets the scales of numbers that have none, and the categories that count.

    `rows` are for training, float32 `[n, columns]`.
    """
    if layer.numbers:
        centre, scale = (np.array(w) for w in (layer.centre, layer.scale))
        for place, column in enumerate(layer.numbers):
            if scale[place] == 0:
                centre[place], scale[place] = _spread(rows[:, column])
        layer.centre.assign(centre)
        layer.scale.assign(scale)
    if layer.kinds:
        known = np.array(layer.known)
        weights = np.array(layer.of_categories)
        for start, end, column in zip(layer.starts, layer.starts[1:], layer.kinds):
            codes = rows[:, column]
            counts = np.bincount(
                codes[~np.isnan(codes)].astype(np.int64), minlength=end - start - 1
            )[1 : end - start - 1]
            if not known[
                start:end
            ].any():  # untrained: an unknown category adds nothing
                weights[start : start + _SPECIAL] = 0
            is_new = (counts >= LEAST_EXAMPLES) & (known[start + _SPECIAL : end] == 0)
            known[start + _SPECIAL : end][is_new] = 1
            if np.isnan(codes).sum() >= LEAST_EXAMPLES:
                known[start + _MISSING] = 1
        layer.known.assign(known)
        layer.of_categories.assign(weights)


def _spread(values: np.ndarray) -> tuple[float, float]:
    """The median and a deviation that outliers do not change; 1 if nothing varies."""
    present = values[~np.isnan(values)].astype(np.float64)
    if not len(present):
        return 0.0, 1.0
    low, middle, high = np.percentile(present, [25, 50, 75])
    scale = (high - low) / _QUARTILES_APART or present.std()
    return float(middle), float(scale) if scale > 0 else 1.0


def copy_columns(source: ColumnSums, target: ColumnSums) -> None:
    """Gives columns the weights that they have in another layer.

    New columns and categories begin where they change nothing. What a column added
    where it was missing stays for one that the target lacks.
    """
    bias = np.array(source.bias)
    theirs = {(c.name, c.is_number): i for i, c in enumerate(source.columns)}
    names = {(c.name, c.is_number) for c in target.columns}
    if target.numbers:
        arrays = [
            np.zeros(weight.shape, np.float32)
            for weight in (
                target.centre,
                target.scale,
                target.of_numbers,
                target.of_missing,
            )
        ]
        for place, column in enumerate(target.numbers):
            old = theirs.get((target.columns[column].name, True))
            if old is not None:
                row = source.numbers.index(old)
                for array, weight in zip(arrays, _of_numbers(source)):
                    array[place] = np.array(weight)[row]
        for array, weight in zip(arrays, _of_numbers(target)):
            weight.assign(array)
    if target.kinds:
        known = np.zeros(target.known.shape, np.float32)
        rows = np.zeros(target.of_categories.shape, np.float32)
        for start, column in zip(target.starts, target.kinds):
            old = theirs.get((target.columns[column].name, False))
            if old is not None:
                _copy_rows(source, old, target.columns[column], start, known, rows)
        target.known.assign(known)
        target.of_categories.assign(rows)
    for key, column in theirs.items():
        if key not in names:
            bias += _where_missing(source, column)
    target.bias.assign(bias)


def _of_numbers(layer: ColumnSums) -> tuple[Any, ...]:
    return layer.centre, layer.scale, layer.of_numbers, layer.of_missing


def _copy_rows(
    source: ColumnSums,
    old: int,
    column: Column,
    start: int,
    known: np.ndarray,
    rows: np.ndarray,
) -> None:
    """The weights of one column of categories, into `known` and `rows` from `start`."""
    first = source.starts[source.kinds.index(old)]
    weights, was_known = np.array(source.of_categories), np.array(source.known)
    listed = source.columns[old].categories or ()
    place = {name: i for i, name in enumerate(listed, start=_SPECIAL)}
    own = [_UNKNOWN, _MISSING, *(place.get(n, -1) for n in column.categories or ())]
    for row, theirs in enumerate(own, start=int(start)):
        is_known = theirs >= 0 and was_known[first + theirs] > 0.5
        # One that is new begins as the unknown ones, which it was until now.
        rows[row] = weights[first + (theirs if is_known else _UNKNOWN)]
        known[row] = float(is_known)


def _where_missing(layer: ColumnSums, column: int) -> np.ndarray:
    """What a column adds to a row that lacks it, `[units]`."""
    if column in layer.numbers:
        return np.array(layer.of_missing)[layer.numbers.index(column)]
    start = layer.starts[layer.kinds.index(column)]
    is_known = np.array(layer.known)[start + _MISSING] > 0.5
    return np.array(layer.of_categories)[start + (_MISSING if is_known else _UNKNOWN)]


MISSING_WORDS = ("", "nan", "na", "n/a", "null", "none", "?", "-")


def codes_of(cells: tf.Tensor, categories: Sequence[str]) -> tf.Tensor:
    """Categories `[batch]` as strings to their codes, float32; see `Column`.

    Without a table of TensorFlow, which is a resource: strings are looked up by hash,
    and compared.
    """
    cells = tf.strings.strip(cells)
    is_missing = tf.reduce_any(
        tf.strings.lower(cells)[:, None] == tf.constant(MISSING_WORDS)[None, :], axis=1
    )
    codes = tf.zeros(tf.shape(cells), tf.float32)
    if categories:
        names = tf.constant(list(categories))
        hashes = tf.strings.to_hash_bucket_fast(names, 2**62)
        order = tf.argsort(hashes)
        places = tf.searchsorted(
            tf.gather(hashes, order), tf.strings.to_hash_bucket_fast(cells, 2**62)
        )
        nearest = tf.gather(order, tf.minimum(places, len(categories) - 1))
        is_same = tf.gather(names, nearest) == cells
        codes = tf.where(is_same, tf.cast(nearest + 1, tf.float32), 0.0)
    return tf.where(is_missing, float("nan"), codes)
