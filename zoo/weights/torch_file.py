"""Reads the tensors of a legacy PyTorch file with numpy alone, and runs nothing in it.

The format is five pickles in a row (magic number, protocol version, system
information, the state dictionary, the storage keys), then for each key the number of
elements as a little-endian int64 and the raw elements. Unpickling calls what the file
names, so only three names are let through.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import pickle
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.errors import CorruptWeightsError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_STORAGE_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    elements: int


@dataclasses.dataclass(frozen=True)
class _TensorView:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Tensor names to arrays, in the order of the file.

    Raises:
        CorruptWeightsError: if the file is not of this format, is cut short, or names
            anything but tensors; nothing that it names is called.
    """
    try:
        with path.open("rb") as stream:
            return _read(stream)
    except (
        AttributeError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        raise CorruptWeightsError(
            f"{path} is not a readable PyTorch weight file: {error}. Nothing of it was"
            " used; fetch it again."
        ) from error


def _read(stream: BinaryIO) -> dict[str, np.ndarray]:
    magic, version = (_RestrictedUnpickler(stream).load() for _ in range(2))
    if magic != _MAGIC_NUMBER or version != _PROTOCOL_VERSION:
        raise ValueError("it does not start as a legacy PyTorch file does")
    _RestrictedUnpickler(stream).load()
    views = _RestrictedUnpickler(stream).load()
    keys = _RestrictedUnpickler(stream).load()
    expected = {view.storage.key: view.storage for view in views.values()}
    storages = {key: _read_elements(stream, expected[key]) for key in keys}
    return {name: _as_array(view, storages) for name, view in views.items()}


def _read_elements(stream: BinaryIO, storage: _Storage) -> np.ndarray:
    elements = int.from_bytes(stream.read(8), "little", signed=True)
    if elements != storage.elements:
        raise ValueError(
            f"storage {storage.key} has {elements} elements, expected"
            f" {storage.elements}"
        )
    size = elements * storage.dtype.itemsize
    left = os.fstat(stream.fileno()).st_size - stream.tell()
    if not 0 <= size <= left:
        raise ValueError(
            f"storage {storage.key} has {size} bytes, and only {left} exist"
        )
    return np.frombuffer(stream.read(size), storage.dtype, count=elements)


def _as_array(view: _TensorView, storages: dict[str, np.ndarray]) -> np.ndarray:
    """A copy of the elements that a tensor covers, in whatever order they lie."""
    elements = storages[view.storage.key]
    size = int(np.prod(view.shape, dtype=np.int64))
    reach = [(dim - 1) * stride for dim, stride in zip(view.shape, view.strides)]
    if (
        len(view.shape) != len(view.strides)
        or min((*view.shape, *view.strides, view.offset), default=0) < 0
        or not size <= elements.size
        or not view.offset + sum(reach) < elements.size
    ):
        raise ValueError(
            f"a tensor of shape {view.shape} has strides {view.strides} and offset"
            f" {view.offset} in a storage of {elements.size} elements"
        )
    return np.lib.stride_tricks.as_strided(
        elements[view.offset :],
        view.shape,
        [stride * elements.itemsize for stride in view.strides],
    ).copy()


class _RestrictedUnpickler(pickle.Unpickler):
    """Unpickles plain values and descriptions of tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not a tensor")

    def persistent_load(self, description: tuple) -> _Storage:
        kind, dtype, key, _device, elements, view = description
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"unknown storage description {kind!r}")
        return _Storage(key=str(key), dtype=dtype, elements=int(elements))


def _rebuild_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    _requires_grad: bool,
    _backward_hooks: object,
) -> _TensorView:
    return _TensorView(storage, offset, tuple(shape), tuple(strides))
