"""Examples whose labels do not matter, of any reference or a folder without classes."""

from __future__ import annotations

from pipelines.data.load import read, read_or_flat, usable
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.data.splitting import keep_some


def read_unlabelled(ref: DatasetRef, *, class_name: str) -> tuple[Examples, Strings]:
    """The usable examples, and the sha256 of each.

    Images of a folder without folders in it are of one class, `class_name`.

    Raises:
        DataError: if some cannot be used, or it holds no example.
    """
    return _usable(read_or_flat(ref, class_name=class_name), ref)


def read_all(ref: DatasetRef) -> tuple[Examples, Strings]:
    """The usable examples of a reference with labels, and the sha256 of each.

    Raises:
        DataError: if some cannot be used, or it holds no example.
    """
    return _usable(read(ref), ref)


def _usable(examples: Examples, ref: DatasetRef) -> tuple[Examples, Strings]:
    return usable(keep_some(examples, limit=ref.limit, seed=ref.seed), ref, None)
