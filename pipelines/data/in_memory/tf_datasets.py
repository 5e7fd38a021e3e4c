"""Data sets of TensorFlow, batched or not, read into arrays once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
import tensorflow as tf

from pipelines.data.in_memory.arrays import of_arrays
from pipelines.data.in_memory.images import images_of
from pipelines.data.in_memory.passed import Passed
from pipelines.data.readers.arrays import (
    MEMORY_SHARE,
    as_pixels,
    machine_memory_bytes,
)
from pipelines.errors import DataError

_WHERE = "the tf.data.Dataset"


def of_dataset(dataset: tf.data.Dataset) -> Passed:
    """The examples of a data set of `(x, y)` or `(x, y, weight)`, batched or not.

    One that `keras.utils.image_dataset_from_directory` made lists its files: these are
    read, at their own size. Any other is read once, in its order, into memory.

    Raises:
        DataError: if it is infinite, larger than half of the memory, or of another
            structure.
    """
    listed = _listed_files(dataset)
    if listed is not None:
        return listed
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise DataError(
            f"{_WHERE} never ends, as after repeat(). Pass it without, or with take(n)."
        )
    spec = dataset.element_spec
    parts = spec if isinstance(spec, tuple) else ()
    if len(parts) not in (2, 3) or not all(
        isinstance(part, tf.TensorSpec) for part in parts
    ):
        raise DataError(
            f"Elements of {_WHERE} are {spec}; they need to be (x, y) or (x, y,"
            " weight). Bring them into that form with map()."
        )
    columns = _collected(dataset, is_batched=_is_batched(parts))
    if columns[0].dtype.kind == "f" and columns[0].ndim == 4:
        columns[0] = _whole_pixels(columns[0])
    if columns[0].dtype.kind == "O":
        columns[0] = np.array([text.decode() for text in columns[0].tolist()])
    if columns[1].dtype.kind == "O":
        columns[1] = np.array([label.decode() for label in columns[1].tolist()])
    return of_arrays(*columns)


def _listed_files(dataset: tf.data.Dataset) -> Passed | None:
    """The files of a data set of Keras, if it names them and their folders."""
    files = getattr(dataset, "file_paths", None)
    names = getattr(dataset, "class_names", None)
    if not files or not names:
        return None
    labels = [_folder_among(path, set(names)) for path in files]
    if not all(labels):
        return None
    images = images_of(files, where=_WHERE)
    note = "The files that the data set lists were read, at their own size."
    return Passed(
        images.images, np.array(labels), _WHERE, names=images.names, notes=(note,)
    )


def _folder_among(path: str, names: set[str]) -> str:
    """The innermost folder above a file that is one of the names; or nothing."""
    parents = PurePath(path).parent.parts
    return next((part for part in reversed(parents) if part in names), "")


def _is_batched(parts: Sequence[tf.TensorSpec]) -> bool:
    x, y = parts[:2]
    if x.shape.rank is None or y.shape.rank is None:
        raise DataError(
            f"{_WHERE} does not know the rank of its elements ({x}, {y}). Set it with"
            " map() and tf.ensure_shape()."
        )
    if y.shape.rank == 0:
        return False
    if x.shape.rank == 4 or y.shape.rank == 2 or x.shape.rank == 1:
        return True
    if x.shape[0] is None and y.shape[0] is None:
        return True
    raise DataError(
        f"It cannot be seen whether {_WHERE} is batched: its elements are {x} and {y}."
        " Use batch(32), or unbatch()."
    )


def _collected(dataset: tf.data.Dataset, *, is_batched: bool) -> list[np.ndarray]:
    memory = machine_memory_bytes()
    rows: list[tuple[np.ndarray, ...]] = []
    held = 0
    for element in dataset.as_numpy_iterator():
        rows.append(tuple(np.asarray(part) for part in element))
        held += rows[-1][0].nbytes
        # Twice: the parts, and the whole that they are joined to.
        if 2 * held > memory * MEMORY_SHARE:
            raise DataError(
                f"{_WHERE} holds more than fits into half of this machine's memory"
                f" ({memory / 1e9:.1f} GB). Pass files or records: those stay on disk."
            )
    if not rows:
        raise DataError(f"{_WHERE} is empty.")
    if not is_batched:
        _require_one_size([row[0].shape for row in rows])
    join = np.concatenate if is_batched else np.stack
    return [join([row[i] for row in rows]) for i in range(len(rows[0]))]


def _require_one_size(shapes: Sequence[tuple[int, ...]]) -> None:
    if len(set(shapes)) > 1:
        first, second = sorted(set(shapes))[:2]
        raise DataError(
            f"{_WHERE} holds arrays of several sizes, as {first} and {second}. Bring"
            " them to one with tf.image.resize(); or pass files, which may have any."
        )


def _whole_pixels(x: np.ndarray) -> np.ndarray:
    """Floats that are whole numbers from 0 to 255 as uint8, which loses nothing."""
    is_whole = x.min() >= 0 and 1 < x.max() <= 255 and bool((x == np.rint(x)).all())
    if not is_whole:
        raise DataError(
            f"Images of {_WHERE} are {x.dtype}, and not whole numbers from 0 to 255:"
            f" what white is has to be said. Map them to {as_pixels(x)}."
        )
    return x.astype(np.uint8)
