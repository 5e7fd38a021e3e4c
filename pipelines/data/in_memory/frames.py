"""Tables of pandas and Polars, and data sets of Hugging Face, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.data.in_memory.arrays import labels_of, texts_of
from pipelines.data.in_memory.images import images_of
from pipelines.data.in_memory.passed import Passed
from pipelines.data.names import choices, listing
from pipelines.errors import DataError

# Columns that a caller may name, and their names elsewhere.
COLUMNS = ("image", "text", "label", "group", "split", "weight")
_SHOWN = 10


def of_frame(frame: Any, named: Mapping[str, str]) -> Passed:
    """The examples of a table of pandas or Polars, in the order of its rows.

    `named` has the columns that the caller named: examples are in `image` or `text`,
    else in the column of that name, and labels in `label`.

    Raises:
        DataError: if a column or a cell is missing or of another kind.
    """
    columns = [str(name) for name in frame.columns]

    def column(name: str) -> list[Any]:
        return list(frame[name].to_list())

    return _of_columns(columns, column, named, where=f"the {_kind(frame)}")


def of_hugging_face(dataset: Any, named: Mapping[str, str]) -> Passed:
    """The examples of a `datasets.Dataset`, in the order of its rows.

    Images stay encoded. Columns follow from the features where there is one of a kind:
    an image, a class label.

    Raises:
        DataError: as `of_frame`.
    """
    features, where = dataset.features, "the data set"
    named = {**_by_feature(features, where, named), **named}
    dataset = dataset.with_format(None)
    image = named.get("image")
    if image in features and type(features[image]).__name__ == "Image":
        dataset = dataset.cast_column(image, type(features[image])(decode=False))

    def column(name: str) -> list[Any]:
        cells, names = list(dataset[name]), getattr(features[name], "names", None)
        if names is None:
            return cells
        return [
            names[cell] if cell is not None and cell >= 0 else None for cell in cells
        ]

    return _of_columns(dataset.column_names, column, named, where=where)


def _by_feature(
    features: Mapping[str, Any], where: str, named: Mapping[str, str]
) -> dict[str, str]:
    """The columns that the kinds of features show, where none is named."""
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    shown = {}
    for option, kind in (("image", "Image"), ("label", "ClassLabel")):
        holding = [name for name in kinds if kinds[name] == kind]
        is_open = option not in named and option not in features
        if option == "image" and "text" in named:
            continue
        if is_open and len(holding) > 1:
            raise DataError(
                f"Several columns of {where} could be the {option}:"
                f" {listing(holding, shown=_SHOWN)}. Say which one, as in"
                f" {option}={holding[0]!r}."
            )
        if is_open and holding:
            shown[option] = holding[0]
    return shown


def _of_columns(
    columns: Sequence[str],
    column: Callable[[str], list[Any]],
    named: Mapping[str, str],
    *,
    where: str,
) -> Passed:
    for option, name in named.items():
        if name not in columns:
            raise DataError(
                f"{where.capitalize()} has no column {name!r}, which {option}= names."
                f" {choices(name, columns)}"
            )
    kind, examples = _examples_column(columns, named, where)
    label = named.get("label", "label")
    if label not in columns:
        raise DataError(
            f"{where.capitalize()} has no column 'label'. Say which one holds the"
            f" labels, as in label='breed'. {choices(label, columns)}"
        )
    others: dict[str, np.ndarray] = {}
    for option in ("group", "split", "weight"):
        if option in named:
            key = "sample_weight" if option == "weight" else option
            others[key] = labels_of(column(named[option]), name=option, where=where)
    labels = labels_of(column(label), name="label", where=where)
    cells = column(examples)
    if kind == "text":
        return Passed(texts_of(cells, where=where), labels, where, others)
    images = images_of(cells, where=where)
    return Passed(
        images.images, labels, where, others, images.names, keeps=images.keeps
    )


def _examples_column(
    columns: Sequence[str], named: Mapping[str, str], where: str
) -> tuple[str, str]:
    """The kind of the examples, `image` or `text`, and the column that holds them."""
    kinds = [kind for kind in ("image", "text") if kind in named]
    kinds = kinds or [kind for kind in ("image", "text") if kind in columns]
    if len(kinds) != 1:
        raise DataError(
            f"{where.capitalize()} has the columns {listing(columns, shown=_SHOWN)}."
            " Say which one holds the examples, as in image='path' or text='review'."
        )
    (kind,) = kinds
    return kind, named.get(kind, kind)


def _kind(frame: Any) -> str:
    return f"{type(frame).__module__.partition('.')[0]} table"
