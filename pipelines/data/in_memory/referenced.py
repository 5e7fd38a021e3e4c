"""From what a caller passes, a reference or data, to a reference."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from pipelines.data.in_memory import arrays, frames
from pipelines.data.in_memory.passed import Passed, joined
from pipelines.data.readers import memory
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import SPLIT_NAMES, split_name
from pipelines.errors import DataError

# Options of a reference that hold for data in memory, as keywords.
_OPTIONS = (
    *("validation", "test", "limit", "on_bad", "bad_limit", "duplicates"),
    *("maximum_megapixels", "label_delimiter"),
)
_KINDS = (
    "a reference such as 'dir:photos', arrays (x, y) or (x, y, sample_weight), a table"
    " of pandas or Polars, a tf.data.Dataset, a data set of Hugging Face, a list of"
    " (path, label), or a dict of splits with these, {'train': ..., 'test': ...}"
)


@contextlib.contextmanager
def referenced(
    data: Any, fields: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Inside, the reference is the data; with it come the fields that are of a config.

    Among `fields`, names of columns (`image`, `text`, `label`, `group`, `split`,
    `weight`) and options of a reference (`validation`, `test`, `limit`, ...) say how
    other data than a reference are read.

    Raises:
        DataError: if data of this kind are not known.
    """
    known = (*frames.COLUMNS, *_OPTIONS)
    ours = {name: value for name, value in fields.items() if name in known}
    others = {name: value for name, value in fields.items() if name not in known}
    if isinstance(data, str):
        if ours:
            name, value = next(iter(ours.items()))
            raise DataError(
                f"{name}= belongs into the reference here, as in"
                f" '{data}{'&' if '?' in data else '?'}{name}={value}'."
            )
        yield data, others
        return
    columns = {name: ours.pop(name) for name in frames.COLUMNS if name in ours}
    with memory.holding(passed_of(data, columns)) as location:
        yield str(DatasetRef("memory", location, **ours)), others


def passed_of(data: Any, columns: Mapping[str, Any]) -> Passed:
    """The examples of data in Python, or of a dict of splits, by the columns named.

    Raises:
        DataError: if the data are of no kind that is known, or lack something.
    """
    if isinstance(data, Mapping):
        return _of_splits(data, columns)
    kind = _kind(data)
    if kind == "frame":
        return frames.of_frame(data, columns)
    if kind == "hugging face":
        return frames.of_hugging_face(data, columns)
    if columns and kind != "arrays":
        raise DataError(
            f"{next(iter(columns))}= names a column of a table, and the data are a"
            f" {type(data).__name__}. Leave it out."
        )
    if kind == "arrays":
        x, y, *weight = data
        given = {name: columns[name] for name in ("group", "split") if name in columns}
        return arrays.of_arrays(x, y, *weight, **given)
    if kind == "pairs":
        return arrays.of_pairs(data)
    if kind == "dataset":
        from pipelines.data.in_memory import tf_datasets

        return tf_datasets.of_dataset(data)
    raise DataError(
        f"Data of the type {type(data).__name__}{_hint(data)} Pass {_KINDS}."
    )


def _kind(data: Any) -> str | None:
    if isinstance(data, tuple) and len(data) in (2, 3):
        return "arrays"
    if hasattr(data, "element_spec"):
        return "dataset"
    if hasattr(data, "features") and hasattr(data, "cast_column"):
        return "hugging face"
    if hasattr(data, "columns") and hasattr(data, "to_dict"):
        return "frame"
    if isinstance(data, list) and data and all(_is_pair(row) for row in data):
        return "pairs"
    return None


def _is_pair(row: Any) -> bool:
    if not isinstance(row, tuple | list) or len(row) != 2:
        return False
    return isinstance(row[0], str | bytes | PathLike)


def _hint(data: Any) -> str:
    if isinstance(data, PathLike):
        return f" are not a reference. For a folder write 'dir:{data}'."
    if hasattr(data, "__next__"):
        return " have no length. Pass list(data)."
    if hasattr(data, "shape"):
        return " have no labels. Pass (x, y)."
    return " are not known."


def _of_splits(data: Mapping[Any, Any], columns: Mapping[str, Any]) -> Passed:
    """The examples of a dict of splits."""
    where = "the dict of splits"
    names = [split_name(str(name), where=where) for name in data]
    if SPLIT_NAMES[0] not in names:
        raise DataError(
            f"A dict of data needs splits, 'train' among them, and has"
            f" {sorted(map(str, data))}. Allowed: {', '.join(SPLIT_NAMES)}."
        )
    if "split" in columns:
        raise DataError("split= names a column, and the dict has splits: keep one.")
    if len(set(names)) < len(names):
        raise DataError(f"Two splits of {where} have one meaning: {list(data)}.")
    parts = [passed_of(part, columns) for part in data.values()]
    return joined(dict(zip(names, parts)), where=where)
