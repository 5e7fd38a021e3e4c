"""A file that grows by whole parts, and belongs to one artifact and one source.

Beside it lies a record of how many bytes and rows are surely on disk. Whatever follows
them was cut short; it is dropped and written again, so every row is there once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import filelock

from pipelines.batch.source import Fingerprint
from pipelines.errors import ConfigError
from pipelines.serving.artifact import Manifest
from zoo.storage import durable

_FORMAT = 2
# The name of `Identity.kind` in a record of this format.
_KIND = "what"


@dataclasses.dataclass(frozen=True)
class Identity:
    """The artifact, the inputs and the kind of rows that an output belongs to."""

    artifact: str
    inputs: str
    examples: int
    kind: str


@dataclasses.dataclass(frozen=True)
class Progress:
    """The part of an output on disk; `invalid` counts rows that are not valid."""

    rows: int = 0
    bytes: int = 0
    invalid: int = 0


def identity(manifest: Manifest, inputs: Fingerprint, *, kind: str) -> Identity:
    """By the content of both: a copy of an artifact is the same artifact."""
    files = {
        name: digest
        for name, digest in manifest.files.items()
        if not name.startswith("assets.extra/")  # which answers no question
    }
    text = json.dumps([files, manifest.class_names], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Identity(digest, inputs.sha256, inputs.examples, kind)


class Output:
    """An open output. Make one with `open_output`."""

    def __init__(
        self, path: Path, whose: Identity, stream: IO[bytes], progress: Progress
    ) -> None:
        self.progress = progress
        self._path, self._whose, self._stream = path, whose, stream

    def append(self, text: str, *, rows: int, invalid: int) -> None:
        """Adds rows: on disk first, and counted after that."""
        content = text.encode()
        self._stream.write(content)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.progress = Progress(
            self.progress.rows + rows,
            self.progress.bytes + len(content),
            self.progress.invalid + invalid,
        )
        write_record(record_of(self._path), self._whose, self.progress)


@contextlib.contextmanager
def open_output(path: Path, whose: Identity) -> Iterator[Output]:
    """A new output, or one that was cut short, ready for its next row.

    Raises:
        ConfigError: if the file is not ours, belongs to another artifact or other
            inputs, is shorter than it was, or is being written now.
    """
    record = record_of(path)
    progress = read_record(record, whose)
    if progress is None and path.exists():
        raise ConfigError(
            f"{path} is there already and is not an unfinished output: {record.name}"
            " is not beside it. Nothing was touched; name another file with --to."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    with stream:
        _lock(stream, path)
        # Another process may have gone on until it let go of the lock.
        progress = read_record(record, whose) or Progress()
        if os.fstat(stream.fileno()).st_size < progress.bytes:
            raise ConfigError(
                f"{path} is shorter than the {progress.bytes} bytes that were written."
                f" Restore it, or remove it and {record.name} to start again."
            )
        stream.truncate(progress.bytes)
        write_record(record, whose, progress)
        yield Output(path, whose, stream, progress)


def record_of(path: Path) -> Path:
    """The path of the record of an output."""
    return path.with_name(f"{path.name}.progress.json")


def read_record(path: Path, whose: Identity) -> Progress | None:
    """The progress in a record; `None` if the record does not exist.

    Raises:
        ConfigError: if it is of another artifact or of other inputs.
    """
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text())
        known = values["format"] == _FORMAT
        theirs = _identity(values["identity"]) if known else whose
        progress = Progress(**values["progress"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be understood: {error!r}.") from error
    if not known:
        raise ConfigError(f"{path} has another format; this version reads {_FORMAT}.")
    if theirs.kind != whose.kind:
        raise ConfigError(
            f"{path} says that its output holds {theirs.kind}, not {whose.kind}."
            " Nothing was touched; name another place with --to."
        )
    if theirs != whose:
        is_other = theirs.artifact != whose.artifact
        owner = "another artifact" if is_other else "other data"
        raise ConfigError(
            f"{path} says that its output belongs to {owner}. Nothing was touched; name"
            " another place with --to."
        )
    return progress


def write_record(path: Path, whose: Identity, progress: Progress) -> None:
    """Writes a record that is either whole or as it was."""
    values = {
        "format": _FORMAT,
        "identity": _identity_values(whose),
        "progress": dataclasses.asdict(progress),
    }
    durable.write_whole(path, [json.dumps(values, indent=2).encode()])


def _identity_values(whose: Identity) -> dict[str, Any]:
    values = dataclasses.asdict(whose)
    values[_KIND] = values.pop("kind")
    return values


def _identity(values: dict[str, Any]) -> Identity:
    fields = dict(values)
    return Identity(kind=fields.pop(_KIND), **fields)


def _lock(stream: IO[bytes], path: Path) -> None:
    """Takes a lock that ends with this process, however that ends."""
    if not filelock.lock_descriptor(stream.fileno(), blocking=False):
        raise ConfigError(f"{path} is being written by another process.")
