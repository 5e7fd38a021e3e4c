"""Arrays `(x, y)` and lists of pairs, as a caller in Python has them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.data.in_memory.images import images_of
from pipelines.data.in_memory.passed import Passed
from pipelines.data.names import listing
from pipelines.errors import DataError

_SHOWN = 10


def of_arrays(
    x: Any, y: Any, weight: Any = None, *, group: Any = None, split: Any = None
) -> Passed:
    """The examples of arrays, or of sequences of paths, bytes, pictures or texts.

    `x` is uint8 `[n, h, w, 3]`, `[n, h, w, 1]` or `[n, h, w]` for images; strings
    `[n]` for texts; floats `[n, steps]` or `[n, steps, channels]` for series. `group`
    and `split` are `[n]`.

    Raises:
        DataError: if they are of another kind; the message says why.
    """
    where = "the arrays (x, y)"
    content, names, keeps = _inputs(x, where)
    others = {
        name: labels_of(column, name=name, where=where)
        for name, column in {"group": group, "split": split}.items()
        if column is not None
    }
    if weight is not None:
        others["sample_weight"] = np.asarray(weight)
    return Passed(
        content, labels_of(y, name="y", where=where), where, others, names, keeps=keeps
    )


def of_pairs(pairs: Sequence[tuple[Any, Any]]) -> Passed:
    """The examples of a list of `(path, label)`."""
    where = "the list of pairs"
    cells = images_of([pair[0] for pair in pairs], where=where)
    labels = labels_of([pair[1] for pair in pairs], name="label", where=where)
    return Passed(cells.images, labels, where, names=cells.names, keeps=cells.keeps)


def texts_of(cells: Sequence[Any], *, where: str) -> np.ndarray:
    """Strings `[n]` of cells that are all strings.

    Raises:
        DataError: naming the cells that are not.
    """
    other = [i for i, cell in enumerate(cells) if not isinstance(cell, str)]
    if other:
        raise DataError(
            f"Text {other[0]} in {where} is {type(cells[other[0]]).__name__} and not a"
            f" string ({len(other)} in all). Fill them in, or take the rows out."
        )
    return np.array(cells, dtype=str) if len(cells) else np.zeros(0, "U1")


def labels_of(column: Any, *, name: str, where: str) -> np.ndarray:
    """Labels as an array of strings or numbers, `[n]` or `[n, k]`.

    Raises:
        DataError: if some are missing or masked, or are neither.
    """
    if np.ma.isMaskedArray(column):
        if np.ma.getmaskarray(column).any():
            raise DataError(
                f"{name} in {where} is a masked array with masked values. Take these"
                " examples out."
            )
        column = np.ma.getdata(column)
    values = np.asarray(column)
    if isinstance(column, list | tuple) and values.ndim == 1:
        values = np.array(column, dtype=object)  # or 1 and 'a' would both be strings
    if values.dtype.kind not in "OfT":
        return values
    cells = values.tolist()
    missing = [
        str(i)
        for i, cell in enumerate(cells)
        if cell is None or (isinstance(cell, float) and cell != cell)
    ]
    if missing:
        raise DataError(
            f"{name} in {where} is missing for {len(missing)} examples:"
            f" {listing(missing, shown=_SHOWN)}, counted from 0. Fill it in, or take"
            " these examples out."
        )
    if values.dtype.kind == "f":
        return values
    kinds = {type(cell).__name__ for cell in cells}
    if kinds <= {"str"}:
        return np.array(cells, dtype=str)
    if kinds <= {"int", "bool", "int64"} or kinds <= {"int", "float"}:
        return np.array(cells)
    raise DataError(
        f"{name} in {where} holds objects ({', '.join(sorted(kinds))}). Labels are all"
        " strings or all numbers, one for each example; or 0 and 1 in an array"
        " [n, labels], where an example may have several."
    )


def _inputs(x: Any, where: str) -> tuple[Any, Any, tuple[Any, ...]]:
    """The array or the files of `x`, names for them, and what keeps them."""
    if np.ma.isMaskedArray(x):
        raise DataError(
            f"x in {where} is a masked array. Fill in what is masked; in series, NaN"
            " says that a value is missing."
        )
    if isinstance(x, list | tuple) and x and not isinstance(x[0], int | float | list):
        if isinstance(x[0], str) and not _are_files(x):
            return texts_of(x, where=where), None, ()
        cells = images_of(x, where=where)
        return cells.images, cells.names, cells.keeps
    values = np.asarray(x)
    if values.dtype.kind in "OT" and values.ndim == 1:
        return _inputs(values.tolist(), where)
    if values.ndim == 0:
        raise DataError(
            f"x in {where} is {type(x).__name__}, which has no length. Pass an array or"
            " a list; a generator as list(generator)."
        )
    return values, None, ()


def _are_files(x: Sequence[str]) -> bool:
    """True if the first string names a file: a text hardly does."""
    return len(x[0]) < 4096 and os.path.lexists(x[0])
