"""`csv:` with `columns=`, and `parquet:`: a table whose rows are the examples."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.data.blanks import HOW_TO_SKIP, SKIP
from pipelines.data.names import listing
from pipelines.data.readers.series_table import load_cells
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import index_classes, normal
from pipelines.data.split_names import split_name
from pipelines.data.splits import Examples
from pipelines.data.tables.columns import (
    Cells,
    ColumnsRead,
    read_columns,
    read_known,
    text_of,
)
from pipelines.data.tables.parquet import load_parquet
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.data.targets.multi_label import MultiLabel
from pipelines.data.weights import checked_weights
from pipelines.display.text import is_blank, shown
from pipelines.errors import DataError
from zoo.spec import Column

_SHOWN = 5
_OPTIONS = ("label", "group", "split", "weight")
_ALL = "*"


@dataclasses.dataclass(frozen=True, eq=False)
class RowTable:
    """A table: its columns by name, in order, and the name of every row."""

    path: Path
    cells: Mapping[str, Cells]
    names: Sequence[str]
    notes: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """The name of a row, for messages."""
        return self.names[row]


def load_rows(ref: DatasetRef) -> RowTable:
    """The columns of the table that a reference names, none of them read yet.

    Raises:
        DataError: if it is not a table.
    """
    if ref.scheme == "parquet":
        path, cells, count = load_parquet(ref.location)
        return RowTable(path, cells, [f"{path.name}, row {i}" for i in range(count)])
    table = load_cells(ref)
    columns = zip(*table.cells)
    return RowTable(
        table.path,
        dict(zip(table.header, columns)),
        [table.where(row) for row in range(len(table.cells))],
        table.notes,
    )


def read(
    ref: DatasetRef,
    problem: str = SINGLE_LABEL,
    columns: Sequence[Column] | None = None,
) -> Examples:
    """The rows of a table, in order, with the columns that `columns=` names.

    Without it, or with `*`, all that no other option names; or else the known `columns`
    of a network, and then their kinds are known, too. The class, the group, the
    split and the weight of a row are in the columns that options name; labels in
    `label` else. An empty label is right where a row may have none.

    Raises:
        DataError: naming columns and rows, if columns are missing, or cells cannot be
            read.
    """
    table = load_rows(ref)
    taken = {
        option: _named(table, option, name)
        for option in _OPTIONS
        if (name := getattr(ref, option) or ("label" if option == "label" else None))
    }
    read_as, unnamed = read_inputs(table, ref, taken, columns)
    labels = [text_of(cell) for cell in table.cells[taken["label"]]]
    may_lack = problem == MultiLabel.name or ref.label_delimiter is not None
    blank = [table.names[i] for i, label in enumerate(labels) if is_blank(label)]
    if blank and not may_lack:
        raise DataError(
            f"{table.path} has empty labels: {listing(blank, shown=_SHOWN)}. Fill them"
            " in, or take the rows out."
        )
    classes = index_classes(labels, is_checked=not may_lack)

    def column(option: str) -> list[str] | None:
        if option not in taken:
            return None
        return [normal(text_of(cell)) for cell in table.cells[taken[option]]]

    weights, splits = None, column("split")
    if "weight" in taken:
        where = f"The column {shown(taken['weight'])} of {table.path}"
        weights = checked_weights(column("weight") or [], table.names, where=where)
    examples = Examples(
        inputs=read_as.table,
        names=table.names,
        labels=classes.labels,
        class_names=classes.names,
        groups=column("group"),
        splits=splits and [split_name(s, where=n) for s, n in zip(splits, table.names)],
        notes=(*table.notes, *unnamed, *read_as.notes, *classes.notes),
        weights=weights,
    )
    return _without_empty(examples, read_as.table.values, ref)


def _without_empty(examples: Examples, values: np.ndarray, ref: DatasetRef) -> Examples:
    """The examples but for rows in which every value is missing.

    Raises:
        DataError: if there are some, unless the reference leaves them out.
    """
    empty = np.flatnonzero(np.isnan(values).all(axis=1))
    if not len(empty):
        return examples
    names = [examples.names[i] for i in empty.tolist()]
    if ref.on_bad != SKIP:
        raise DataError(
            f"{ref.location} has rows without a value: {listing(names, shown=_SHOWN)}."
            f" Take them out. {HOW_TO_SKIP}"
        )
    rest = examples.take(np.setdiff1d(np.arange(len(examples)), empty))
    skipped = tuple((name, "every value is missing") for name in names)
    return dataclasses.replace(rest, skipped=(*examples.skipped, *skipped))


def read_inputs(
    table: RowTable,
    ref: DatasetRef,
    taken: Mapping[str, str],
    columns: Sequence[Column] | None,
) -> tuple[ColumnsRead, tuple[str, ...]]:
    """The columns of a table that are inputs, and notes; see `read`."""
    of = table.path.name
    if columns is not None:
        return read_known(table.cells, columns, table.where, of=of), ()
    chosen, unnamed = chosen_columns(table, ref, taken)
    cells = {name: table.cells[name] for name in chosen}
    return read_columns(cells, table.where, of=of), unnamed


def chosen_columns(
    table: RowTable, ref: DatasetRef, taken: Mapping[str, str]
) -> tuple[list[str], tuple[str, ...]]:
    """The names of the columns that are read, and a note on those without a name.

    Raises:
        DataError: if a pattern names no column, or one that another option has.
    """
    rest = [name for name in table.cells if name and name not in taken.values()]
    unnamed = (
        (
            f"A column of {table.path.name} without a name, such as the index of a data"
            " frame, is not read.",
        )
        if "" in table.cells
        else ()
    )
    patterns = [part.strip() for part in (ref.columns or _ALL).split(",")]
    if patterns == [_ALL]:
        return rest, unnamed
    chosen: list[str] = []
    for pattern in map(normal, filter(None, patterns)):
        own = next((o for o, name in taken.items() if name == pattern), None)
        if own is not None:
            raise DataError(
                f"columns= names {pattern!r}, which is the {own} of {table.path}: what"
                " is to be predicted, or is not an input. Leave it out of columns=."
            )
        matching = [n for n in rest if n == pattern or fnmatch.fnmatchcase(n, pattern)]
        if not matching:
            raise DataError(
                f"No column of {table.path} is called {pattern!r}, as columns= says."
                f" Its columns are {listing(list(table.cells), shown=2 * _SHOWN)}."
            )
        chosen += [name for name in matching if name not in chosen]
    return chosen, ()


def _named(table: RowTable, option: str, name: str) -> str:
    if normal(name) not in table.cells:
        raise DataError(
            f"{table.path} has no column {name!r}. Say which one it is, with"
            f" {option}=COLUMN. Its columns are"
            f" {listing(list(table.cells), shown=2 * _SHOWN)}."
        )
    return normal(name)
