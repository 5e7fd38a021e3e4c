"""`csv:` - a table that names a file, or holds a text, in every row."""

from __future__ import annotations

import array
import contextlib
import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.data.blanks import HOW_TO_SKIP, SKIP
from pipelines.data.names import choices, listing
from pipelines.data.packed_strings import Packer, Strings
from pipelines.data.readers.table_format import Form, form_of, not_utf8
from pipelines.data.reference import DatasetRef
from pipelines.data.sounds.reading import read_sounds
from pipelines.data.spelling import index_classes, normal, normal_all
from pipelines.data.split_names import split_name
from pipelines.data.splits import Examples, ImageFiles, Sounds, Texts
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.data.targets.multi_label import MultiLabel
from pipelines.data.weights import checked_weights
from pipelines.display.text import is_blank, shortened, shown
from pipelines.errors import DataError
from zoo.storage.home import expanded

_SHOWN = 10
_MODALITIES = ("image", "text", "sound")
# A text may be a whole document; the default limit of the csv module is 128 KiB.
_MAXIMUM_CELL = 2**24


def read(ref: DatasetRef, *, problem: str = SINGLE_LABEL) -> Examples:
    """The examples of a table, in the order of its rows.

    The first line names the columns. The examples are in the column that `image=`
    or `text=` names, else in `image` or `text`; labels in the column of `label=`, else
    in `label`; how much a row counts in the column of `weight=`. Paths are relative to
    the folder of the table. The separator follows from the rows and the encoding from
    the first bytes, unless `delimiter=` and `encoding=` are set. Rows with an empty
    cell are refused, or left out if `on_bad` is `skip`; but an empty label is right
    where an example may have none (`problem` is multi_label, or `label_delimiter=` is
    set).

    Raises:
        DataError: naming the lines, if columns, cells or files are missing, or if an
            image is listed twice.
    """
    path = _file(ref)
    form = _form(ref, path)
    skips = ref.on_bad == SKIP
    with _explained(path):
        rows = _parsed(path, form)
        header = _header(rows, path)
        modality, column = _examples_column(ref, header, path)
        columns = {modality: column}
        columns["label"] = _column("label", ref.label or "label", header, path)
        for option in ("group", "split", "weight"):
            if (named := getattr(ref, option)) is not None:
                columns[option] = _column(option, named, header, path)
        may_lack = (
            () if problem != MultiLabel.name and not ref.label_delimiter else ("label",)
        )
        lines, cells, empty = _cells(rows, header, columns, path, may_lack=may_lack)
    if empty and not skips:
        raise DataError(
            f"{path} has empty cells:"
            f" {listing((f'line {n} ({c})' for n, c in empty), shown=_SHOWN)}. Fill"
            f" them in, or take the rows out. {HOW_TO_SKIP}"
        )
    if not lines:
        raise DataError(f"{path} has no row without an empty cell.")
    classes = index_classes(cells["label"], is_checked=not may_lack)
    names = Strings.of(_names(path, lines))
    weights = None
    if ref.weight is not None:
        where = f"The column {shown(columns['weight'])} of {path}"
        weights = checked_weights(cells["weight"], names, where=where)
    return Examples(
        inputs=(
            _texts(cells["text"])
            if modality == "text"
            else _files(cells[modality], modality, lines, table=path, may_miss=skips)
        ),
        names=names,
        labels=classes.labels,
        class_names=classes.names,
        groups=Strings.of(normal_all(cells["group"])) if "group" in cells else None,
        splits=_splits(cells["split"], lines, path) if "split" in cells else None,
        skipped=tuple(
            (f"{path.name}, line {line}", f"an empty cell ({column})")
            for line, column in empty
        ),
        notes=(*form.notes, *classes.notes),
        weights=weights,
    )


def notes_on(ref: DatasetRef) -> tuple[str, ...]:
    """Sentences on the separator and the encoding of a table."""
    return _form(ref, _file(ref)).notes


def unlabelled(ref: DatasetRef) -> tuple[str, Iterator[tuple[int, str]]]:
    """The modality of a table, and the last line and the cell of every row.

    Rows are read when they are needed. There need not be labels; files that are missing
    or named twice, and empty cells, are not refused.

    Raises:
        DataError: if the columns are missing; and from the rows, if one is broken.
    """
    path = _file(ref)
    form = _form(ref, path)
    with _explained(path):
        rows = _parsed(path, form)
        header = _header(rows, path)
        modality, column = _examples_column(ref, header, path)

    def cells() -> Iterator[tuple[int, str]]:
        place = header.index(column)
        with _explained(path):
            for line, row in rows:
                _refuse_other_width(row, header, line, path)
                yield line, row[place]

    return modality, cells()


def path_of(cell: str, table: Path) -> str:
    """The path of the file that a cell of a table names."""
    return _path_of(cell.strip(), str(table.parent))


def _file(ref: DatasetRef) -> Path:
    path = expanded(ref.location).absolute()
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path after 'csv:'.")
    return path


def _names(path: Path, lines: Sequence[int]) -> Iterator[str]:
    return (f"{path.name}, line {line}" for line in lines)


def _form(ref: DatasetRef, path: Path) -> Form:
    column = ref.image or ref.text or ref.sound
    examples = [column] if column else list(_MODALITIES)
    named = [ref.label or "label", ref.group, ref.split, ref.weight, *examples]
    return form_of(
        path,
        columns=[normal(name) for name in named if name is not None],
        delimiter=ref.delimiter,
        encoding=ref.encoding,
    )


def _refuse_other_width(
    row: Sequence[str], header: Sequence[str], line: int, path: Path
) -> None:
    if len(row) != len(header):
        raise DataError(
            f"Line {line} of {path} has {len(row)} cells, and the first line names"
            f" {len(header)} columns. Put a cell with the separator in it between"
            " quotes, or say what separates the cells, as in delimiter=semicolon."
        )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns errors inside into sentences on why a file is not a table."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None
    except UnicodeError as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from None
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _header(rows: Iterator[tuple[int, list[str]]], path: Path) -> list[str]:
    try:
        _, first = next(rows)
    except StopIteration:
        raise DataError(f"{path} cannot be read as a table: it is empty.") from None
    names = [normal(name) for name in first]
    if len(set(names)) < len(names):
        twice = (name for name, count in Counter(names).items() if count > 1)
        raise DataError(
            f"{path} has two columns of the same name: {listing(twice, shown=_SHOWN)}."
        )
    return names


def _cells(
    rows: Iterator[tuple[int, list[str]]],
    header: Sequence[str],
    columns: Mapping[str, str],
    path: Path,
    *,
    may_lack: Sequence[str],
) -> tuple[Sequence[int], dict[str, Strings], list[tuple[int, str]]]:
    """The rows without an empty cell, and the others.

    The number of the last line of each row, and the cells for every option; then line
    and column of the empty cells.
    """
    lines = array.array("q")
    places = {option: header.index(name) for option, name in columns.items()}
    packers = {option: Packer() for option in columns}
    empty: list[tuple[int, str]] = []
    for line, row in rows:
        _refuse_other_width(row, header, line, path)
        blank = [
            option
            for option, place in places.items()
            if is_blank(row[place]) and option not in may_lack
        ]
        if blank:
            empty.append((line, columns[blank[0]]))
            continue
        lines.append(line)
        for option, place in places.items():
            packers[option].add(row[place])
    if not lines and not empty:
        raise DataError(f"{path} names columns and has no rows.")
    packed = {option: packer.packed() for option, packer in packers.items()}
    return lines, packed, empty


def _parsed(path: Path, form: Form) -> Iterator[tuple[int, list[str]]]:
    before = csv.field_size_limit(_MAXIMUM_CELL)
    # A spreadsheet may begin with a byte order mark, which is not part of a name.
    encoding = "utf-8-sig" if form.encoding.lower() == "utf-8" else form.encoding
    try:
        with path.open(newline="", encoding=encoding) as stream:
            reader = csv.reader(stream, delimiter=form.delimiter, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    finally:
        csv.field_size_limit(before)


def _examples_column(
    ref: DatasetRef, header: Sequence[str], path: Path
) -> tuple[str, str]:
    """The modality, and the column that holds the examples."""
    for modality in _MODALITIES:
        named = getattr(ref, modality)
        if named is not None:
            return modality, _column(modality, named, header, path)
    present = [modality for modality in _MODALITIES if modality in header]
    if len(present) != 1:
        raise DataError(
            f"{path} has the columns {listing(header, shown=_SHOWN)}. Say which one"
            " holds the examples, with image=COLUMN for paths of images, sound=COLUMN"
            " for paths of sounds, or text=COLUMN; for a table of numbers and"
            " categories, name the columns that are read with columns=NAME,NAME, or"
            " columns=* for all but the label. If these are not its columns, say what"
            " separates them, as in delimiter=semicolon."
        )
    return present[0], present[0]


def _column(option: str, name: str, header: Sequence[str], path: Path) -> str:
    name = normal(name)
    if name not in header:
        raise DataError(
            f"{path} has no column {shortened(name)!r}. Say which one it is, with"
            f" {option}=COLUMN. {choices(name, header)}"
        )
    return name


def _texts(values: Strings) -> Texts:
    texts = np.empty(len(values), object)
    texts[:] = [value.encode() for value in values]
    return Texts(texts)


def _files(
    values: Strings,
    modality: str,
    lines: Sequence[int],
    *,
    table: Path,
    may_miss: bool,
) -> ImageFiles | Sounds:
    """The files that cells name; missing ones are bad examples if they `may_miss`."""
    folder = str(table.parent)
    paths = Strings.of(_path_of(value.strip(), folder) for value in values)
    missing = [
        f"line {line} ({shown(value)})"
        for line, value, path in zip(lines, values, paths)
        # A link to nothing is named by the check.
        if not may_miss and not os.path.lexists(path)
    ]
    if missing:
        raise DataError(
            f"{table} names files that are not there: {listing(missing, shown=_SHOWN)}."
            f" Paths are relative to {table.parent}."
        )
    if repeats := paths.repeats():
        twice = [f"line {lines[i]} and line {lines[first]}" for first, i in repeats]
        raise DataError(
            f"{table} names {_a(modality)} twice: {listing(twice, shown=_SHOWN)}. Keep"
            f" one row for each {modality}."
        )
    return read_sounds(paths) if modality == "sound" else ImageFiles(paths)


def _a(modality: str) -> str:
    return f"an {modality}" if modality == "image" else f"a {modality}"


def _path_of(value: str, folder: str) -> str:
    if value.startswith(("/", "~", ".")) or "//" in value or "/." in value:
        return str(Path(folder) / value)  # which brings it into its shortest form
    return f"{folder}/{value}"  # the same, at a tenth of the time


def _splits(values: Strings, lines: Sequence[int], path: Path) -> Strings:
    return Strings.of(
        split_name(value, where=f"line {line} of {path}")
        for line, value in zip(lines, values)
    )
