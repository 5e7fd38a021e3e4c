"""Portions of rows, so that arrays of rows by classes are held in part, not whole."""

from __future__ import annotations

from collections.abc import Iterator

# Numbers of one array that are held at once: 32 MiB in float64.
AT_ONCE = 2**22


def portions(rows: int, width: int) -> Iterator[slice]:
    """Slices of rows with at most 2^22 numbers each, and at least one row.

    A result that is computed row by row does not depend on the portions. Few rows are
    one portion.
    """
    at_once = max(1, AT_ONCE // max(1, width))
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))
