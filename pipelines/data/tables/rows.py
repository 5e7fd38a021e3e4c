"""Rows of tables as clients send them."""

from __future__ import annotations

import numpy as np

from pipelines.data.splits import Table
from pipelines.display.text import input_name
from zoo.spec import Column


def row_of(table: Table, row: int) -> dict[str, float | str | None]:
    """A row by the names of its columns; None where a value is missing."""
    values: dict[str, float | str | None] = {}
    for column, value in zip(table.columns, table.values[row].tolist()):
        if np.isnan(value):
            values[column.name] = None
        elif column.categories is None:
            values[column.name] = value
        else:
            values[column.name] = category_of(column, int(value))
    return values


def category_of(column: Column, code: int) -> str:
    """The name of a category; for 0 a name that is not among them."""
    listed = column.categories or ()
    if code:
        return listed[code - 1]
    return f"other than {max(listed, key=len, default='')}"


def as_sent(table: Table) -> dict[str, np.ndarray]:
    """The columns of a table by the names of inputs, as a client sends them.

    Numbers are float32 with NaN where one is missing, categories objects of bytes with
    the empty text there.
    """
    sent: dict[str, np.ndarray] = {}
    for column, values in zip(table.columns, table.values.T):
        if column.categories is None:
            sent[input_name(column.name)] = np.ascontiguousarray(values)
            continue
        texts = np.empty(len(values), object)
        texts[:] = [
            b"" if np.isnan(code) else category_of(column, int(code)).encode()
            for code in values.tolist()
        ]
        sent[input_name(column.name)] = texts
    return sent
