"""`csv:` - a table that names an image file, or holds a text, in every row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.data.names import choices, index_classes, listing, split_name
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples, ImageFiles, Texts
from pipelines.errors import DataError

_SHOWN = 10
_TABS = (".tsv", ".tab")
# A text may be a whole document; the default limit of the csv module is 128 KiB.
_MAXIMUM_CELL = 2**24


def read(ref: DatasetRef) -> Examples:
    """The examples of a table, in the order of its rows.

    The first line names the columns. `image=` or `text=` says which one holds the
    examples, or else it is the one of that name; `label` is the column of that name
    unless `label=` says otherwise. Paths are relative to the folder of the table. Cells
    are separated by commas, or by tabs in a `.tsv` file.

    Raises:
        DataError: naming the lines, if columns, cells or files are missing, or if an
            image is listed twice.
    """
    path = Path(ref.location).expanduser().absolute()
    header, rows = _rows(path)
    modality, column = _examples_column(ref, header, path)
    label = _column("label", ref.label or "label", header, path)
    cells = {line: dict(zip(header, row)) for line, row in rows}
    _refuse_empty(cells, (column, label), path)
    lines = tuple(cells)
    values = [row[column] for row in cells.values()]
    labels, class_names = index_classes([row[label] for row in cells.values()])
    return Examples(
        inputs=(
            _texts(values)
            if modality == "text"
            else _images(values, lines=lines, table=path)
        ),
        names=tuple(f"{path.name}, line {line}" for line in lines),
        labels=labels,
        class_names=class_names,
        groups=_optional("group", ref.group, cells, header, path),
        given=_given(ref, cells, header, path),
    )


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and every row with the number of its last line."""
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path after 'csv:'.")
    try:
        header, *rows = _parsed(path)
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            reason = f"it is not UTF-8 ({error.reason} at byte {error.start})"
        else:
            reason = "it is empty"
        raise DataError(f"{path} cannot be read as a table: {reason}.") from None
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from None
    names = [name.strip() for name in header[1]]
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of the same name: {names}.")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(
                f"Line {line} of {path} has {len(row)} cells, and the first line names"
                f" {len(names)} columns. Put a cell with commas between quotes."
            )
    if not rows:
        raise DataError(f"{path} names columns and has no rows.")
    return names, rows


def _parsed(path: Path) -> Iterator[tuple[int, list[str]]]:
    delimiter = "\t" if path.suffix.lower() in _TABS else ","
    before = csv.field_size_limit(_MAXIMUM_CELL)
    try:
        # A spreadsheet may begin with a byte order mark, which is no part of a name.
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    finally:
        csv.field_size_limit(before)


def _examples_column(
    ref: DatasetRef, header: Sequence[str], path: Path
) -> tuple[str, str]:
    """The modality, and the column that holds the examples."""
    for modality in ("image", "text"):
        named = getattr(ref, modality)
        if named is not None:
            return modality, _column(modality, named, header, path)
    found = [modality for modality in ("image", "text") if modality in header]
    if len(found) != 1:
        raise DataError(
            f"{path} has the columns {', '.join(header)}. Say which one holds the"
            " examples, with image=COLUMN for paths of images or text=COLUMN."
        )
    return found[0], found[0]


def _column(option: str, name: str, header: Sequence[str], path: Path) -> str:
    if name not in header:
        raise DataError(
            f"{path} has no column {name!r}. Say which one it is, with"
            f" {option}=COLUMN. {choices(name, header)}"
        )
    return name


def _refuse_empty(
    cells: Mapping[int, Mapping[str, str]], columns: Sequence[str], path: Path
) -> None:
    empty = [
        f"line {line} ({column})"
        for line, row in cells.items()
        for column in columns
        if not row[column].strip()
    ]
    if empty:
        raise DataError(
            f"{path} has empty cells: {listing(empty, shown=_SHOWN)}. Fill them in, or"
            " take the rows out."
        )


def _texts(values: Sequence[str]) -> Texts:
    found = np.empty(len(values), object)
    found[:] = [value.encode() for value in values]
    return Texts(found)


def _images(values: Sequence[str], *, lines: Sequence[int], table: Path) -> ImageFiles:
    paths = [str(table.parent / value.strip()) for value in values]
    missing = [
        f"line {line} ({value})"
        for line, value, path in zip(lines, values, paths)
        if not Path(path).exists()
    ]
    if missing:
        raise DataError(
            f"{table} names files that are not there: {listing(missing, shown=_SHOWN)}."
            f" Paths are relative to {table.parent}."
        )
    first: dict[str, int] = {}
    twice = [
        f"line {line} and line {first[path]}"
        for line, path in zip(lines, paths)
        if first.setdefault(path, line) != line
    ]
    if twice:
        raise DataError(
            f"{table} names an image twice: {listing(twice, shown=_SHOWN)}. Keep one"
            " row for each image."
        )
    return ImageFiles(tuple(paths))


def _optional(
    option: str,
    named: str | None,
    cells: Mapping[int, Mapping[str, str]],
    header: Sequence[str],
    path: Path,
) -> tuple[str, ...] | None:
    if named is None:
        return None
    column = _column(option, named, header, path)
    _refuse_empty(cells, (column,), path)
    return tuple(row[column] for row in cells.values())


def _given(
    ref: DatasetRef,
    cells: Mapping[int, Mapping[str, str]],
    header: Sequence[str],
    path: Path,
) -> tuple[str, ...] | None:
    given = _optional("split", ref.split, cells, header, path)
    if given is None:
        return None
    return tuple(
        split_name(value, where=f"line {line} of {path}")
        for line, value in zip(cells, given)
    )
