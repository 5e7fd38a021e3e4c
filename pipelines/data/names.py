"""How names are ordered and how a misspelt one is answered."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.errors import DataError

# What a split may be called, in a folder, an array or a table.
SPLITS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}


def natural_key(name: str) -> tuple[list[str | int], str]:
    """A sort key that orders runs of digits by value: `1, 2, 10`."""
    # Splitting on a capture group alternates text and digits, text first, so that
    # two keys never compare an int with a str.
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def index_classes(labels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as indices, int64 `[n]`, and the class names in natural order."""
    names = tuple(sorted(set(labels), key=natural_key))
    index = {name: i for i, name in enumerate(names)}
    return np.fromiter((index[label] for label in labels), np.int64, len(labels)), names


def split_name(text: str, *, where: str) -> str:
    """The split that a text means.

    Raises:
        DataError: if it means none; `where` says where it stands.
    """
    if text not in SPLITS:
        raise DataError(
            f"split in {where} has the value {text!r}. {choices(text, SPLITS)}"
        )
    return SPLITS[text]


def choices(name: str, known: Iterable[str]) -> str:
    """The end of an error about `name`: what is allowed, and the nearest of it."""
    allowed = sorted(known, key=natural_key)
    near = difflib.get_close_matches(name, allowed, n=1)
    nearest = f" Did you mean {near[0]!r}?" if near else ""
    return f"Allowed: {', '.join(allowed)}.{nearest}"


def listing(items: Iterable[str], *, shown: int) -> str:
    """The first `shown` items in a row, and how many more there are."""
    every = list(items)
    rest = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + rest
