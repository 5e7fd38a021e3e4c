"""Two splits as one."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, TypeVar

import numpy as np

from pipelines.data.packed_strings import Strings
from pipelines.data.splits import ImageArray, Inputs, Split

T = TypeVar("T", bound=Inputs)


def joined(first: Split, second: Split, *, name: str) -> Split:
    """The examples of two splits of the same data, those of the first in front.

    Facts that are not known of one of them are not known of both.
    """

    def both(field: str) -> np.ndarray | None:
        values = getattr(first, field), getattr(second, field)
        return (
            None if any(value is None for value in values) else np.concatenate(values)
        )

    digests = first.digest, second.digest
    is_known = first.names is not None and second.names is not None
    return Split(
        name,
        joined_inputs(first.inputs, second.inputs),
        np.concatenate([first.labels, second.labels]),
        both("groups"),
        None if None in digests else hashlib.sha256(repr(digests).encode()).hexdigest(),
        Strings.of([*(first.names or ()), *(second.names or ())]) if is_known else None,
        both("weights"),
    )


def joined_inputs(first: T, second: T) -> T:
    """The inputs of two splits of the same data, one after the other.

    What is not one value for each input, such as the largest size, is of both. Kinds of
    files are those of either.
    """
    if isinstance(first, ImageArray) and isinstance(second, ImageArray):
        return dataclasses.replace(first, **_joined_views(first, second))
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(first):
        ours, theirs = getattr(first, field.name), getattr(second, field.name)
        if isinstance(ours, np.ndarray):
            columns[field.name] = np.concatenate([ours, theirs])
        elif isinstance(ours, Strings):
            columns[field.name] = Strings.of([*ours, *theirs])
        elif isinstance(ours, frozenset):
            columns[field.name] = ours | theirs
        elif ours != theirs:
            raise ValueError(f"Splits of the same data have different {field.name}.")
    # Fields of `first`, with values of their types.
    return dataclasses.replace(first, **columns)


def _joined_views(first: ImageArray, second: ImageArray) -> dict[str, Any]:
    """The fields of both: rows of the array that both hold, or else a new array."""
    if first.held is not second.held:
        return {"held": np.concatenate([first.pixels, second.pixels]), "rows": None}
    every = np.arange(len(first.held))
    rows = [every if part.rows is None else part.rows for part in (first, second)]
    return {"rows": np.concatenate(rows)}
