"""What a caller passed, as columns of one kind, whatever it was before."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.readers.arrays import examples_of
from pipelines.data.splits import EncodedImages, Examples, ImageFiles, ImageRecords
from pipelines.errors import DataError
from zoo.storage.hashing import hash_file


@dataclasses.dataclass(frozen=True, eq=False)
class Passed:
    """Examples that a caller has in Python.

    `x` is an array as `npz:` takes it, or images in files; `y` the labels, `[n]` or
    `[n, k]`. `others` are the optional arrays of `npz:`: `group`, `split`,
    `sample_weight`, `class_names`. `where` says in messages what was passed, and
    `keeps` is held as long as this is.
    """

    x: np.ndarray | EncodedImages
    y: np.ndarray
    where: str
    others: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    names: Sequence[str] | None = None
    notes: tuple[str, ...] = ()
    keeps: tuple[Any, ...] = ()

    def examples(self, *, on_bad: str, problem: str) -> Examples:
        """The examples, with labels of the kind `problem`.

        Raises:
            DataError: if they cannot be trained on; the message says why.
        """
        columns = {"x": self.x, "y": self.y, **self.others}
        examples = examples_of(
            columns, self.where, on_bad=on_bad, problem=problem, names=self.names
        )
        return dataclasses.replace(examples, notes=(*self.notes, *examples.notes))

    def digest(self) -> str:
        """The sha256 of everything that was passed: a name that other data lack."""
        digest = hashlib.sha256()
        if isinstance(self.x, np.ndarray):
            _add(digest, self.x)
        elif isinstance(self.x, ImageFiles):
            _add(digest, np.array(self.x.paths))
        else:
            for shard in self.x.shards:
                digest.update(hash_file(Path(shard), "sha256").encode())
        for name, column in sorted({"y": self.y, **self.others}.items()):
            digest.update(name.encode())
            _add(digest, column)
        return digest.hexdigest()


def _add(digest: Any, column: np.ndarray) -> None:
    digest.update(f"{column.dtype} {column.shape}".encode())
    if column.size:  # no memory can be cast where it is empty
        digest.update(np.ascontiguousarray(column).data.cast("B"))


def joined(parts: Mapping[str, Passed], *, where: str) -> Passed:
    """The examples of several splits, each with the name of its split.

    Raises:
        DataError: if the splits hold examples of different kinds or sizes.
    """
    every = list(parts.values())
    split = np.repeat(list(parts), [len(part.y) for part in every])
    shared = set.intersection(*(set(part.others) for part in every))
    lacking = {name for part in every for name in part.others} - shared
    if lacking:
        raise DataError(
            f"Some splits of {where} have {sorted(lacking)}, and others do not. Give"
            " it for each split, or for none."
        )
    return Passed(
        _joined_inputs([part.x for part in every], list(parts), where),
        _concatenated([part.y for part in every], list(parts), "y", where),
        where,
        {
            "split": split,
            **{
                name: _concatenated(
                    [part.others[name] for part in every], list(parts), name, where
                )
                for name in shared
            },
        },
        names=_joined_names(every),
        notes=tuple(dict.fromkeys(note for part in every for note in part.notes)),
        keeps=tuple(kept for part in every for kept in part.keeps),
    )


def _joined_names(parts: Sequence[Passed]) -> list[str] | None:
    if any(part.names is None for part in parts):
        return None
    return [name for part in parts for name in part.names or ()]


def _joined_inputs(
    inputs: Sequence[np.ndarray | EncodedImages], splits: Sequence[str], where: str
) -> np.ndarray | EncodedImages:
    if all(isinstance(some, np.ndarray) for some in inputs):
        return _concatenated(inputs, splits, "x", where)
    files = [some for some in inputs if isinstance(some, ImageFiles)]
    if len(files) == len(inputs):
        return ImageFiles([path for some in files for path in some.paths])
    records = [some for some in inputs if isinstance(some, ImageRecords)]
    if len(records) == len(inputs):
        return _joined_records(records)
    raise DataError(
        f"The splits {', '.join(splits)} of {where} hold different kinds of examples."
        " Pass arrays for each of them, or paths of files for each."
    )


def _joined_records(parts: Sequence[ImageRecords]) -> ImageRecords:
    """The images of all parts, each in files of its own."""
    before = np.cumsum([0, *(len(part.shards) for part in parts)])
    return dataclasses.replace(
        parts[0],
        shards=tuple(shard for part in parts for shard in part.shards),
        shard=np.concatenate([part.shard + n for part, n in zip(parts, before)]),
        record=np.concatenate([part.record for part in parts]),
        start=np.concatenate([part.start for part in parts]),
        length=np.concatenate([part.length for part in parts]),
    )


def _concatenated(
    columns: Sequence[Any], splits: Sequence[str], name: str, where: str
) -> np.ndarray:
    shapes = {column.shape[1:] for column in columns}
    kinds = {column.dtype.kind for column in columns}
    if len(shapes) > 1 or len(kinds - {"U"}) > 1 or ("U" in kinds and len(kinds) > 1):
        each = ", ".join(
            f"{split}: {column.dtype} {column.shape}"
            for split, column in zip(splits, columns)
        )
        raise DataError(
            f"{name} differs between the splits of {where} ({each}). Bring all splits"
            " to one shape and kind."
        )
    return np.concatenate(columns)
