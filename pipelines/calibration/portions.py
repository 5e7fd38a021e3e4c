"""Portions of rows, so that arrays of rows by classes are held in part, not whole."""

from __future__ import annotations

from collections.abc import Iterator

# Numbers of one array that are held at once: 32 MiB in float64.
AT_ONCE = 2**22


def portions(rows: int, width: int) -> Iterator[slice]:
    """Slices of so many rows that each has at most 2^22 numbers, and one row at least.

    What is computed for each row alone is the same in any portions; few rows are one.
    """
    at_once = max(1, AT_ONCE // max(1, width))
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))
