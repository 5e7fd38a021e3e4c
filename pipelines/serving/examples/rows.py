"""Rows of tables that a caller passes, as a signature takes them, or refused."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.display.text import input_name
from pipelines.errors import DataError
from pipelines.serving.examples.values import type_name

Row = dict[str, "float | bytes"]
_SHOWN = 80
_MOST_NAMES = 5
_LARGEST = float(np.finfo(np.float32).max)


def table_row(row: Any, columns: Sequence[tuple[str, str]]) -> Row:
    """A row by the names of columns, which have a type each: numbers, or bytes.

    None is a missing value. Names are of columns, or of inputs. Columns that the
    artifact does not take are left.

    Raises:
        DataError: naming the columns that a row lacks, or a value of another type.
    """
    if not isinstance(row, Mapping):
        raise DataError(
            f"A {type_name(row)} came where a row of a table is expected; pass a"
            " dictionary by the names of columns, such as"
            f" {{{columns[0][0]!r}: ..., ...}}."
        )
    row = {input_name(str(name)): value for name, value in row.items()}
    missing = [name for name, _ in columns if name not in row]
    if missing:
        more = f" and {len(missing) - _MOST_NAMES} more" * (len(missing) > _MOST_NAMES)
        raise DataError(
            f"A row lacks {', '.join(map(repr, missing[:_MOST_NAMES]))}{more} of the"
            f" {len(columns)} columns that the artifact takes. A value that is not"
            " known is None."
        )
    return {name: _value(name, row[name], dtype) for name, dtype in columns}


def _value(name: str, value: Any, dtype: str) -> float | bytes:
    if dtype == "string":
        return _category(name, value)
    if value is None:
        return math.nan
    if not isinstance(value, (numbers.Real, np.bool_)) or isinstance(value, bool):
        raise DataError(
            f"The column {name!r} takes numbers; {str(value)[:_SHOWN]!r} came, a"
            f" {type_name(value)}. A value that is not known is None."
        )
    number = float(value)
    if abs(number) > _LARGEST and math.isfinite(number):
        raise DataError(f"The column {name!r} has {number:g}, which is beyond float32.")
    return number


def _category(name: str, value: Any) -> bytes:
    if value is None or value != value:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bool, np.bool_)):
        return b"true" if value else b"false"
    if isinstance(value, numbers.Real):  # as in a table: 7.0 is 7
        number = float(value)
        return (str(int(number)) if number.is_integer() else repr(number)).encode()
    if not isinstance(value, str):
        raise DataError(
            f"The column {name!r} takes texts; a {type_name(value)} came,"
            f" {str(value)[:_SHOWN]!r}."
        )
    return value.encode(errors="replace")


def stacked(rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Rows as columns: an array for each, float32 or objects of bytes, `[rows]`."""
    return {
        name: np.array(
            [row[name] for row in rows], object if dtype == "string" else np.float32
        )
        for name, dtype in columns
    }


def why_no_row(row: Row) -> str:
    """The reason why an artifact calls a row not valid."""
    infinite = [
        name
        for name, value in row.items()
        if isinstance(value, float) and math.isinf(value)
    ]
    if infinite:
        return f"the value of {infinite[0]!r} is infinite"
    return "every value of the row is missing"
