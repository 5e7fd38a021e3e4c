"""Examples without labels, in one order, read as they are asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import logging
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines.data.readers import folder, folder_files, table
from pipelines.data.reference import DatasetRef
from pipelines.data.tables import row_table
from pipelines.data.tables.columns import read_known
from pipelines.data.tables.rows import row_of
from pipelines.display.text import PLURALS
from pipelines.errors import DataError
from zoo.spec import Column
from zoo.storage.home import expanded

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One example: its file or its text, and the columns that name it in the output."""

    origin: dict[str, Any]
    path: str | None = None
    text: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """The number of examples of a source, and the sha256 of their names."""

    examples: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Source:
    """A folder of files, or a table; parse one with `parse`.

    A table has files, texts, or rows with the `columns` of an artifact.
    """

    ref: DatasetRef
    modality: str
    inputs: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that name an example in the output."""
        if self.ref.scheme == "dir":
            return ("file",)
        if self.modality == "table":
            return ("row",)
        return ("line",) if self.modality == "text" else ("line", "file")

    def items(self, start: int = 0, stop: int | None = None) -> Iterator[Item]:
        """Some of the examples. Their order follows from names and rows alone."""
        if self.modality == "table":
            every = self._row_items()
        elif self.ref.scheme == "dir":
            every = self._folder_items()
        else:
            every = self._table_items()
        return itertools.islice(every, start, stop)

    def fingerprint(self) -> Fingerprint:
        """Reads all names, and none of the files.

        A file counts by its name and size, a row by its content.

        Raises:
            DataError: if the source is empty, or the table has a broken row.
        """
        digest, examples = hashlib.sha256(f"{self.modality}\0".encode()), 0
        for item in self.items():
            examples += 1
            size = -1 if item.path is None else file_bytes(item.path)
            name = str(item.origin.get("file")).encode(errors="surrogateescape")
            for part in (name, str(size).encode(), item.text or b""):
                digest.update(b"%d:%b" % (len(part), part))
        if not examples:
            allowed = ", ".join(sorted(self._extensions))
            raise DataError(
                f"{self.ref.location} has no {self.modality} to predict."
                + (f" Allowed: {allowed}." if self.ref.scheme == "dir" else "")
            )
        return Fingerprint(examples, digest.hexdigest())

    @property
    def _extensions(self) -> frozenset[str]:
        if self.modality == "sound":
            return folder_files.LISTED_SOUND_EXTENSIONS
        return folder_files.EXTENSIONS

    def _folder_items(self) -> Iterator[Item]:
        root = Path(self.ref.location)
        for name in folder.every_file(root, self._extensions):
            yield Item({"file": name}, path=f"{root}/{name}")

    def _table_items(self) -> Iterator[Item]:
        _, rows = table.unlabelled(self.ref)
        for line, cell in rows:
            if self.modality == "text":
                yield Item({"line": line}, text=cell.encode())
            else:
                path = table.path_of(cell, Path(self.ref.location))
                yield Item({"line": line, "file": cell}, path=path)

    def _row_items(self) -> Iterator[Item]:
        """Rows as objects of JSON."""
        table = row_table.load_rows(self.ref)
        read = read_known(
            table.cells, self.inputs, table.where, of=table.path.name
        ).table
        for i, name in enumerate(table.names):
            place = name.removeprefix(f"{table.path.name}, ")
            yield Item({"row": place}, text=json.dumps(row_of(read, i)).encode())


def parse(text: str, *, modality: str, columns: Sequence[Column] = ()) -> Source:
    """The source that a folder, or a reference `dir:`, `csv:` or `parquet:`, names.

    An artifact for tables takes `columns`: all rows have them.

    Raises:
        DataError: if it does not exist, or holds something that the artifact does
            not take.
    """
    plain = expanded(text)
    ref = DatasetRef("dir", str(plain)) if plain.is_dir() else DatasetRef.parse(text)
    location = str(expanded(ref.location).absolute())
    ref = dataclasses.replace(ref, location=location)
    bare = DatasetRef(ref.scheme, location)
    if modality == "table" and ref.scheme in ("csv", "parquet"):
        return _of_rows(text, ref, columns)
    if ref.scheme not in ("dir", "csv"):
        raise DataError(
            f"{text!r} cannot be predicted as a whole: give a folder of images, or a"
            " table as 'csv:PATH?image=COLUMN' or 'csv:PATH?text=COLUMN'."
        )
    others = dataclasses.replace(
        ref, image=None, text=None, sound=None, delimiter=None, encoding=None
    )
    if others != bare:
        raise DataError(
            f"{text!r} has options that mean nothing here: every row is predicted, and"
            " only image=, sound=, text=, delimiter= and encoding= are read."
        )
    # A folder has the files that the artifact takes, whatever lies beside them.
    own = "sound" if modality == "sound" else "image"
    if ref.scheme == "csv":
        own, _ = table.unlabelled(ref)
        for note in table.notes_on(ref):
            _log.warning("%s", note)
    if ref.scheme == "dir" and not Path(location).is_dir():
        raise DataError(f"There is no folder {location}.")
    if own != modality:
        raise DataError(
            f"{text!r} holds {PLURALS[own]}, but the artifact takes"
            f" {PLURALS[modality]}."
        )
    return Source(ref, own)


def _of_rows(text: str, ref: DatasetRef, columns: Sequence[Column]) -> Source:
    """The rows of a table, for an artifact with these columns."""
    bare = DatasetRef(ref.scheme, ref.location)
    if dataclasses.replace(ref, columns=None, delimiter=None, encoding=None) != bare:
        raise DataError(
            f"{text!r} has options that mean nothing here: every row is predicted from"
            " the columns of the artifact, and only delimiter= and encoding= are read."
        )
    for note in row_table.load_rows(ref).notes:
        _log.warning("%s", note)
    return Source(dataclasses.replace(ref, columns=None), "table", tuple(columns))


def file_bytes(path: str) -> int:
    """The size of a file; -1 for anything but a file that can be read."""
    try:
        facts = Path(path).stat()
    except (OSError, ValueError):
        return -1
    return facts.st_size if stat.S_ISREG(facts.st_mode) else -1
