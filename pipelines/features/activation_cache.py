"""Activations on disk: complete or absent, verified when read, mapped into memory.

A frozen part of a network gives the same activations for an example in every epoch, so
they are computed once and read back. An entry is a folder with an array per tensor and
a record of their digests; it appears by one rename.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.features.extract import LARGEST_FLOAT16, Activations
from zoo.graph.blocks import layers_inside
from zoo.storage import durable
from zoo.storage.hashing import hash_file

# Changes whenever the code that computes or writes activations does.
_FORMAT = 2
_RECORD = "activations.json"
_UNFINISHED = ".unfinished-"
# The share of the free space that a run may fill; the rest belongs to others.
_SHARE_OF_FREE_SPACE = 0.5

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class ActivationCache:
    """Entries below `folder`, by key; delete it at any time while nothing reads it."""

    folder: Path

    def has_room(self, needed_bytes: int) -> bool:
        """True if an entry of this size fits, judged by the free space now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        return needed_bytes <= free * _SHARE_OF_FREE_SPACE

    def get(
        self, key: str, compute: Callable[[], Iterator[Activations]], *, examples: int
    ) -> Activations | None:
        """The entry of a key, read-only and mapped; computed if it is missing.

        `compute` yields the activations batch by batch. Floats are stored as float16,
        or as float32 if a value is too large for that. None if the disk is full.
        """
        entry = self._read(key)
        if entry is not None:
            return entry
        try:
            try:
                self._write(key, compute(), np.float16, examples)
            except _TooLargeError:
                self._write(key, compute(), np.float32, examples)
        except OSError as error:
            _logger.warning(
                "Activations cannot be stored in %s (%s); they are computed again in"
                " every epoch.",
                self.folder,
                error.strerror or error,
            )
            return None
        return self._read(key)

    def _read(self, key: str) -> Activations | None:
        """The arrays of an entry; None if it is missing or has changed."""
        entry = self.folder / key
        if not entry.is_dir():
            return None
        try:
            record = json.loads((entry / _RECORD).read_text())
            for name, digest in record["sha256"].items():
                if hash_file(entry / name, "sha256") != digest:
                    raise ValueError(f"{name} has changed")
            return tuple(
                np.load(entry / name, mmap_mode="r") for name in record["sha256"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            _logger.warning("Ignoring the activations in %s: %s.", entry, error)
            shutil.rmtree(entry, ignore_errors=True)
            return None

    def _write(
        self,
        key: str,
        batches: Iterator[Activations],
        floats: type[np.floating],
        examples: int,
    ) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Left by a process that was killed while it wrote; a folder has one writer.
        for path in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(path, ignore_errors=True)
        with durable.publish_folder(
            self.folder / key, prefix=_UNFINISHED, mode=0o700
        ) as unfinished:
            digests = _write_arrays(unfinished, batches, floats, examples)
            (unfinished / _RECORD).write_text(json.dumps({"sha256": digests}))


def key_of(model: keras.Model, *, data: str, input_size_px: int | None) -> str:
    """The name of a folder: a digest of everything that activations depend on.

    It covers the weights, the network with its precision and preprocessing, the
    examples in their order (`data`, see `Split.digest`), their size, and the code.
    """
    digest = hashlib.sha256()
    for part in (_FORMAT, keras.__version__, data, input_size_px, _network(model)):
        digest.update(f"{part}\n".encode())
    for variable in model.variables:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data)
    return digest.hexdigest()


def _network(model: keras.Model) -> str:
    """The layers and their connections, with numbers for names.

    Names of Keras count the layers that the process has made before.
    """
    text = model.to_json()
    names = [model.name, *(layer.name for layer in layers_inside(model))]
    for i, name in enumerate(dict.fromkeys(names)):
        text = text.replace(f'"{name}"', f'"#{i}"')
    return text


class _TooLargeError(Exception):
    """A value that float16 cannot hold."""


def _write_arrays(
    folder: Path,
    batches: Iterator[Activations],
    floats: type[np.floating],
    examples: int,
) -> dict[str, str]:
    """Writes `0.npy`, `1.npy`, ... batch by batch, and returns the sha256 of each."""
    # Not through a memory map: a full disk would end the process.
    streams: list[Any] = []
    try:
        done = 0
        for tensors in batches:
            arrays = [_narrow(tensor, floats) for tensor in tensors]
            if not streams:
                streams = [
                    _begin(folder / f"{i}.npy", array, examples)
                    for i, array in enumerate(arrays)
                ]
            for stream, array in zip(streams, arrays, strict=True):
                stream.write(array.data)
            done += len(arrays[0])
        if done != examples:
            raise OSError(f"only {done} of {examples} examples were computed")
        for stream in streams:
            stream.flush()
    finally:
        for stream in streams:
            stream.close()
    names = [f"{i}.npy" for i in range(len(streams))]
    return {name: hash_file(folder / name, "sha256") for name in names}


def _begin(path: Path, first: np.ndarray, examples: int) -> Any:
    stream = path.open("wb")
    header = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": False,
        "shape": (examples, *first.shape[1:]),
    }
    np.lib.format.write_array_header_2_0(stream, header)
    return stream


def _narrow(array: np.ndarray, floats: type[np.floating]) -> np.ndarray:
    if array.dtype.kind != "f":
        return np.ascontiguousarray(array)
    finite = np.abs(array[np.isfinite(array)])
    if floats is np.float16 and finite.max(initial=0) > LARGEST_FLOAT16:
        raise _TooLargeError
    return np.ascontiguousarray(array.astype(floats))
