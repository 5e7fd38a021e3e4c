"""Checkpoints on disk: complete or absent, verified when read; the last two are kept.

A checkpoint is a JSON file with a digest of itself, and files of arrays that are named
after their content, so that unchanged arrays are written once. Each file appears by one
rename, the JSON file last.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError, TrainingError
from zoo.storage import durable

_FORMAT = 1
_KEPT = 2

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A saved state: values that JSON can hold, and arrays in named groups."""

    values: Mapping[str, Any]
    arrays: Mapping[str, Sequence[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Stored:
    """A file of arrays, named after its sha256, with the type and shape of each array.

    A file that no checkpoint names is removed.
    """

    sha256: str
    tensors: tuple[tuple[str, tuple[int, ...]], ...]


class Checkpoints:
    """The checkpoints in `folder`; only the last two complete ones are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._good: list[int] = []
        # Files that this process wrote or verified; others may have changed on disk.
        self._whole: set[str] = set()

    def newest(self) -> Checkpoint | None:
        """The last checkpoint that is complete; None if there never was one.

        Raises:
            ArtifactError: if all checkpoints are broken. Nothing is deleted.
        """
        numbers = self._numbers()
        reasons = []
        for number in reversed(numbers):
            try:
                checkpoint = self._read(number)
            except (OSError, ValueError, KeyError, TypeError) as error:
                reasons.append(f"{self._path(number)} cannot be used: {error}.")
                _logger.warning("%s Trying the one before it.", reasons[-1])
                continue
            self._good = [number]
            return checkpoint
        if reasons:
            raise ArtifactError(
                f"All checkpoints of the run are broken. {' '.join(reasons)} Nothing"
                " was deleted. Set config.overwrite to start the run again."
            )
        return None

    def store(self, arrays: Sequence[np.ndarray]) -> Stored:
        """Writes arrays into a file, unless a file with that content exists.

        Raises:
            TrainingError: if the file cannot be written.
        """
        pieces = [_bytes_of(array) for array in arrays]
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        name = digest.hexdigest()
        if name not in self._whole:
            self._write(self._arrays_path(name), pieces)
            self._whole.add(name)
        kinds = tuple((a.dtype.name, tuple(a.shape)) for a in arrays)
        return Stored(name, kinds)

    def write(self, values: Mapping[str, Any], groups: Mapping[str, Stored]) -> None:
        """Writes a checkpoint, and removes all others but the last complete one.

        Raises:
            TrainingError: if it cannot be written; the others stay as they are.
        """
        content = {
            "format": _FORMAT,
            "values": dict(values),
            "arrays": {
                name: dataclasses.asdict(stored) for name, stored in groups.items()
            },
        }
        body = json.dumps(content).encode()
        number = max(self._numbers(), default=0) + 1
        digest = hashlib.sha256(body).hexdigest().encode()
        self._write(self._path(number), [digest, b"\n", body])
        self._good = [*self._good, number][-_KEPT:]
        self._prune()

    def _numbers(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        stems = (path.stem for path in self.folder.glob("*.json"))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _arrays_path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.arrays"

    def _read(self, number: int) -> Checkpoint:
        content = self._content(number)
        groups = {
            name: Stored(
                record["sha256"], tuple((k, tuple(s)) for k, s in record["tensors"])
            )
            for name, record in content["arrays"].items()
        }
        return Checkpoint(
            content["values"],
            {name: self._load(stored) for name, stored in groups.items()},
        )

    def _content(self, number: int) -> dict[str, Any]:
        digest, _, body = self._path(number).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("its content has changed since it was written")
        content = json.loads(body)
        if content["format"] != _FORMAT:
            raise ValueError(f"it has format {content['format']}, not {_FORMAT}")
        return content

    def _load(self, stored: Stored) -> list[np.ndarray]:
        path = self._arrays_path(stored.sha256)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            raise ValueError(f"{path.name} has changed since it was written")
        self._whole.add(stored.sha256)
        arrays, start = [], 0
        for kind, shape in stored.tensors:
            # NumPy knows bfloat16 once Keras is imported.
            dtype, count = np.dtype(kind), math.prod(shape)
            values = np.frombuffer(content, dtype, count, start)
            arrays.append(values.reshape(shape))
            start += count * dtype.itemsize
        return arrays

    def _write(self, path: Path, pieces: Sequence[Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            durable.write_whole(path, pieces)
        except OSError as error:
            raise TrainingError(self._refused(path, error, pieces)) from error

    def _refused(self, path: Path, error: OSError, pieces: Sequence[Any]) -> str:
        needed = sum(len(piece) for piece in pieces)
        nearest = next(place for place in (path, *path.parents) if place.exists())
        free = shutil.disk_usage(nearest).free
        return (
            f"The checkpoint {path} could not be written: {error.strerror or error};"
            f" {needed} bytes are needed and {free} are free. The last checkpoint is"
            " complete: fix this and run the same command again."
        )

    def _prune(self) -> None:
        for number in self._numbers():
            if number not in self._good:
                self._path(number).unlink()
        named = set(self._named())
        for path in self.folder.glob("*.arrays"):
            if path.stem not in named:
                path.unlink()
                self._whole.discard(path.stem)
        # Left by a process that was killed while it wrote; a run has one process.
        for path in self.folder.glob(".*.new"):
            path.unlink()

    def _named(self) -> Iterator[str]:
        for number in self._good:
            for record in self._content(number)["arrays"].values():
                yield record["sha256"]


def _bytes_of(array: np.ndarray) -> memoryview:
    # As bytes, because not every type of Keras can be a buffer.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
