"""Files that lie in several class folders, as links or copies: one example each."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.data.packed_strings import Strings
from pipelines.data.splits import Examples
from pipelines.errors import DataError

_CHUNK_BYTES = 2**20


def joined_files(examples: Examples, paths: Strings) -> Examples:
    """The examples with files of the same content as one, labels 0 or 1 `[n, labels]`.

    Its labels are those of all its folders. Contents are compared where files have the
    same size, and links are not read. A file in two splits stays two examples, which
    is refused later on. The first of the same files names the example.

    Raises:
        DataError: if a pattern puts the same content into two groups.
    """
    splits = examples.split_codes()
    where = np.zeros(len(examples), np.int64) if splits is None else splits
    place: dict[tuple[int, str], int] = {}
    rows = np.empty(len(examples), np.int64)
    for i, content in enumerate(_contents(paths)):
        rows[i] = place.setdefault((int(where[i]), content), len(place))
    _, first = np.unique(rows, return_index=True)
    _refuse_two_groups(examples, rows, first)
    labels = np.zeros((len(first), len(examples.class_names)), np.float32)
    labels[rows, examples.labels] = 1.0
    # Rows are numbered by first appearance, so `first` is in order.
    kept = examples.take(first)
    note = (
        f"{len(examples) - len(first)} files are links to or copies of others, and the"
        " labels of an image are all the folders that it lies in."
    )
    return dataclasses.replace(kept, labels=labels, notes=(*kept.notes, note))


def _contents(paths: Strings) -> Iterator[str]:
    """A text for each file, the same for files of the same content."""
    sizes: dict[int, set[tuple[int, int]]] = {}
    stats: list[os.stat_result | None] = []
    for path in paths:
        try:
            status = Path(path).stat()
        except OSError:  # named with its reason when images are checked
            stats.append(None)
            continue
        stats.append(status)
        identity = (status.st_dev, status.st_ino)
        sizes.setdefault(status.st_size, set()).add(identity)
    digests: dict[tuple[int, int], str] = {}
    for path, known in zip(paths, stats):
        if known is None:
            yield f"unreadable {path}"
            continue
        identity = (known.st_dev, known.st_ino)
        if len(sizes[known.st_size]) == 1:
            yield f"file {identity}"
            continue
        if identity not in digests:
            digests[identity] = _digest(path) or f"unreadable {path}"
        yield digests[identity]


def _digest(path: str) -> str:
    """The sha256 of a file; empty if it cannot be read, which is named later on."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def _refuse_two_groups(examples: Examples, rows: np.ndarray, first: np.ndarray) -> None:
    if examples.groups is None:
        return
    groups, names = Strings.of(examples.groups), Strings.of(examples.names)
    codes = groups.codes()
    apart = np.flatnonzero(codes != codes[first[rows]])
    if len(apart):
        i = int(apart[0])
        other = int(first[rows[i]])
        raise DataError(
            f"{names[other]!r} and {names[i]!r} have the same content, and group= puts"
            f" them into {groups[other]!r} and {groups[i]!r}. Choose a pattern that"
            " gives an image the same group in every folder."
        )
