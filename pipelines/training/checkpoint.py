"""Checkpoints on disk: whole or not there, verified when read, the last two kept.

A checkpoint is a JSON file with a digest of itself, and files of arrays that are named
after their content, so that what did not change between two is written once. Each
appears by one rename, the JSON file last.
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
    """What was saved: values that JSON has words for, and arrays in named groups."""

    values: Mapping[str, Any]
    arrays: Mapping[str, Sequence[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Stored:
    """A group of arrays in a file, named after its sha256: the type and shape of each.

    Only an arrays file that is named by a checkpoint stays.
    """

    sha256: str
    tensors: tuple[tuple[str, tuple[int, ...]], ...]


class Checkpoints:
    """The checkpoints in `folder`, of which the last two good ones are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._good: list[int] = []
        # Files that this process wrote or verified: others may have changed on disk.
        self._whole: set[str] = set()

    def newest(self) -> Checkpoint | None:
        """The last checkpoint that is as it was written; none if there never was one.

        Raises:
            ArtifactError: if there are some, and all are broken. Nothing is deleted.
        """
        numbers = self._numbers()
        reasons = []
        for number in reversed(numbers):
            try:
                found = self._read(number)
            except (OSError, ValueError, KeyError, TypeError) as error:
                reasons.append(f"{self._path(number)} cannot be used: {error}.")
                _logger.warning("%s The one before it is tried.", reasons[-1])
                continue
            self._good = [number]
            return found
        if reasons:
            raise ArtifactError(
                f"No checkpoint of the run is whole. {' '.join(reasons)} Nothing was"
                " deleted. Set config.overwrite to start the run anew."
            )
        return None

    def store(self, arrays: Sequence[np.ndarray]) -> Stored:
        """Writes arrays into a file, unless one with that content is there.

        Raises:
            TrainingError: if the disk does not take it.
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
        """Writes a checkpoint, and removes all but it and the last good one.

        Raises:
            TrainingError: if the disk does not take it; the others stay as they are.
        """
        content = {
            "format": _FORMAT,
            "values": dict(values),
            "arrays": {name: dataclasses.asdict(one) for name, one in groups.items()},
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
            name: Stored(one["sha256"], tuple((k, tuple(s)) for k, s in one["tensors"]))
            for name, one in content["arrays"].items()
        }
        return Checkpoint(
            content["values"],
            {name: self._load(one) for name, one in groups.items()},
        )

    def _content(self, number: int) -> dict[str, Any]:
        digest, _, body = self._path(number).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("its content is not what was written")
        content = json.loads(body)
        if content["format"] != _FORMAT:
            raise ValueError(f"it has format {content['format']}, not {_FORMAT}")
        return content

    def _load(self, stored: Stored) -> list[np.ndarray]:
        path = self._arrays_path(stored.sha256)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            raise ValueError(f"{path.name} is not what was written")
        self._whole.add(stored.sha256)
        arrays, start = [], 0
        for kind, shape in stored.tensors:
            # Of Keras' types, numpy knows bfloat16 once Keras is imported.
            dtype, count = np.dtype(kind), math.prod(shape)
            found = np.frombuffer(content, dtype, count, start)
            arrays.append(found.reshape(shape))
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
        nearest = next(one for one in (path, *path.parents) if one.exists())
        free = shutil.disk_usage(nearest).free
        return (
            f"The checkpoint {path} could not be written: {error.strerror or error};"
            f" {needed} bytes are needed and {free} are free. What was saved before is"
            " whole: mend this, and the same command goes on from there."
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
        # Of a process that was killed while it wrote; the run has one at a time.
        for path in self.folder.glob(".*.new"):
            path.unlink()

    def _named(self) -> Iterator[str]:
        for number in self._good:
            for one in self._content(number)["arrays"].values():
                yield one["sha256"]


def _bytes_of(array: np.ndarray) -> memoryview:
    # As bytes, because not every type that Keras has can be a buffer.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
