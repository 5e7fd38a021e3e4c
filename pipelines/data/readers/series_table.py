"""`csv:` with `series=` or `values=` - a table whose numbers are series.

Long: a row for every step, and the column `series=` names its series; all other columns
are channels, unless `values=` names some. Wide: a row for every series, and `values=`
names the columns of its steps.
"""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.data.names import choices, listing
from pipelines.data.readers.series_arrays import padded
from pipelines.data.readers.table_format import form_of
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import index_classes, normal
from pipelines.data.split_names import split_name
from pipelines.data.splits import Examples
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.data.targets.multi_label import MultiLabel
from pipelines.data.weights import checked_weights
from pipelines.display.text import is_blank, shown
from pipelines.errors import DataError
from zoo.storage.home import expanded

_SHOWN = 5
_MISSING = ("nan", "na", "null", "none", "?", "-")
# Of the median distance of two time stamps; below it clocks are only inaccurate.
_IRREGULAR = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class CellTable:
    """The cells of a table `[rows, columns]`, and where each row ends."""

    path: Path
    header: list[str]
    cells: list[list[str]]
    lines: list[int]
    notes: tuple[str, ...]

    def place(self, option: str, name: str) -> int:
        """The number of a column. Raises `DataError` if it does not exist."""
        if normal(name) not in self.header:
            raise DataError(
                f"{self.path} has no column {name!r}. Say which one it is, with"
                f" {option}=COLUMN. {choices(normal(name), self.header)}"
            )
        return self.header.index(normal(name))

    def matching(self, pattern: str) -> list[int]:
        """The numbers of the columns that a pattern names, in order."""
        places = [
            i
            for i, name in enumerate(self.header)
            if fnmatch.fnmatchcase(name, pattern)
        ]
        if not places:
            raise DataError(
                f"No column of {self.path} is called {pattern!r}, as values= says. Its"
                f" columns are {listing(self.header, shown=_SHOWN)}."
            )
        return places

    def where(self, row: int) -> str:
        """The place of a row, for a message."""
        return f"{self.path.name}, line {self.lines[row]}"


def read(ref: DatasetRef, problem: str = SINGLE_LABEL) -> Examples:
    """The series of a table, in the order in which they first appear.

    Empty cells are missing values. A long table has the class, the group, the split and
    the weight of a series in each of its rows. An empty label is right where a series
    may have none, as in other tables.

    Raises:
        DataError: naming lines, if columns are missing, if a cell is not a number, if
            the rows of a series disagree, or if a time is there twice.
    """
    table = load_cells(ref)
    taken = {
        option: table.place(option, name)
        for option in ("label", "group", "split", "weight", "time", "series")
        if (name := getattr(ref, option) or ("label" if option == "label" else None))
    }
    if ref.series is None and "time" in taken:
        raise DataError(
            "time= orders the rows of a series, and goes with series=COLUMN, which"
            " names the series of a row."
        )
    make = _wide if ref.series is None else _long
    names, series, rows, notes = make(table, taken, ref.values)
    labels = [table.cells[row][taken["label"]] for row in rows]
    may_lack = problem == MultiLabel.name or ref.label_delimiter is not None
    blank = [table.where(row) for row, label in zip(rows, labels) if is_blank(label)]
    if blank and not may_lack:
        raise DataError(
            f"{table.path} has empty labels: {listing(blank, shown=_SHOWN)}."
        )
    classes = index_classes(labels, is_checked=not may_lack)

    def column(option: str) -> list[str] | None:
        if option not in taken:
            return None
        return [normal(table.cells[row][taken[option]]) for row in rows]

    splits, weights = column("split"), None
    if "weight" in taken:
        where = f"The column {shown(table.header[taken['weight']])} of {table.path}"
        weights = checked_weights(column("weight") or [], names, where=where)
    return Examples(
        inputs=padded(series, names),
        names=names,
        labels=classes.labels,
        class_names=classes.names,
        groups=column("group"),
        splits=splits
        and [split_name(s, where=table.where(r)) for s, r in zip(splits, rows)],
        notes=(*table.notes, *classes.notes, *notes),
        weights=weights,
    )


# Names of the series, their values, a row of each, and notes.
_Made = tuple[list[str], list[np.ndarray], list[int], tuple[str, ...]]


def _wide(table: CellTable, taken: dict[str, int], values: str | None) -> _Made:
    """A row for each series; a pattern of `values` for each channel."""
    channels = [table.matching(normal(part)) for part in (values or "").split("|")]
    if len({len(steps) for steps in channels}) > 1:
        raise DataError(
            f"The patterns of values={values} name {[len(c) for c in channels]} columns"
            f" of {table.path}; each channel has the same steps."
        )
    inside = set(taken.values()) & {place for steps in channels for place in steps}
    if inside:
        raise DataError(
            f"values={values} names the column {table.header[min(inside)]!r}, which is"
            " not a value. Use a pattern that leaves it out."
        )
    numbers = _numbers(table, sorted({p for steps in channels for p in steps}))
    series = [
        np.array([[numbers[place][row] for place in steps] for steps in channels]).T
        for row in range(len(table.cells))
    ]
    rows = list(range(len(table.cells)))
    return [table.where(row) for row in rows], series, rows, ()


def _long(table: CellTable, taken: dict[str, int], values: str | None) -> _Made:
    """A row for each step; a column for each channel."""
    if values is None:
        places = [i for i in range(len(table.header)) if i not in taken.values()]
    else:
        places = [p for part in values.split("|") for p in table.matching(normal(part))]
    if not places:
        raise DataError(f"{table.path} has no column left that could be a channel.")
    numbers = _numbers(table, places)
    steps: dict[str, list[int]] = {}
    for row, cells in enumerate(table.cells):
        steps.setdefault(normal(cells[taken["series"]]), []).append(row)
    for option in ("label", "group", "split", "weight"):
        _require_constant(table, steps, taken, option)
    irregular, unsorted = [], []
    if "time" in taken:
        times = _times(table, taken["time"])
        for name, rows in steps.items():
            own = times[rows]
            order = np.argsort(own, kind="stable")
            if (np.diff(own) < 0).any():
                unsorted.append(name)
            steps[name] = [rows[i] for i in order]
            if _is_irregular(np.diff(own[order]), table, steps[name]):
                irregular.append(name)
    series = [
        np.array([numbers[place][rows] for place in places]).T
        for rows in steps.values()
    ]
    first = [rows[0] for rows in steps.values()]
    return list(steps), series, first, _notes(unsorted, irregular, len(steps))


def _notes(unsorted: list[str], irregular: list[str], count: int) -> tuple[str, ...]:
    notes = []
    if unsorted:
        named = listing(map(repr, unsorted), shown=_SHOWN)
        notes.append(f"The rows of {named} were not in order of time; they are sorted.")
    if irregular:
        named = listing(map(repr, irregular), shown=_SHOWN)
        notes.append(
            f"{len(irregular)} of {count} series are sampled irregularly: {named}."
            " Their steps are read as evenly spaced; bring them to one rate if that is"
            " wrong."
        )
    return tuple(notes)


def _is_irregular(distances: np.ndarray, table: CellTable, rows: Sequence[int]) -> bool:
    if not len(distances):
        return False
    if (distances == 0).any():
        row = rows[int(np.flatnonzero(distances == 0)[0]) + 1]
        raise DataError(
            f"{table.where(row)} has a time that its series has already. Keep one row"
            " for each time, or average them."
        )
    usual = float(np.median(distances))
    return bool((np.abs(distances - usual) > _IRREGULAR * usual).any())


def _require_constant(
    table: CellTable, steps: dict[str, list[int]], taken: dict[str, int], option: str
) -> None:
    if option not in taken:
        return
    place = taken[option]
    for name, rows in steps.items():
        cells = {normal(table.cells[row][place]) for row in rows}
        if len(cells) > 1:
            raise DataError(
                f"The rows of series {shown(name)} in {table.path} have several values"
                f" of {option}: {listing(map(repr, sorted(cells)), shown=_SHOWN)}."
            )


def _times(table: CellTable, place: int) -> np.ndarray:
    """Times as numbers: as they are, or seconds of dates, float64 `[rows]`."""
    cells = [row[place].strip() for row in table.cells]
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        pass
    try:
        dates = np.array([cell.removesuffix("Z") for cell in cells], "datetime64[us]")
    except ValueError as error:
        raise DataError(
            f"The column {table.header[place]!r} of {table.path} is neither numbers nor"
            f" dates such as 2024-05-31T12:00:00: {error}."
        ) from None
    return dates.astype(np.int64) / 1e6


def _numbers(table: CellTable, places: Sequence[int]) -> dict[int, np.ndarray]:
    """The columns as float64; NaN where a cell is empty or says that it is missing."""
    columns = {}
    for place in places:
        column = np.full(len(table.cells), np.nan)
        for row, cells in enumerate(table.cells):
            cell = cells[place].strip()
            if is_blank(cell) or cell.lower() in _MISSING:
                continue
            try:
                column[row] = float(cell)
            except ValueError:
                raise DataError(
                    f"{table.where(row)}: {shown(cell)} in the column"
                    f" {table.header[place]!r} is not a number. Name the columns of"
                    " numbers, with values=PATTERN, or empty the cell."
                ) from None
        columns[place] = column
    return columns


def _named(ref: DatasetRef) -> list[str]:
    """The columns that the reference names, by which a separator is recognized."""
    options = (ref.group, ref.split, ref.weight, ref.series, ref.time)
    named = (ref.label or "label", *options)
    return [normal(name) for name in named if name is not None]


def load_cells(ref: DatasetRef) -> CellTable:
    path = expanded(ref.location).absolute()
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path after 'csv:'.")
    form = form_of(
        path, columns=_named(ref), delimiter=ref.delimiter, encoding=ref.encoding
    )
    try:
        with path.open(newline="", encoding=form.encoding) as stream:
            reader = csv.reader(stream, delimiter=form.delimiter, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from None
    if len(rows) < 2:
        raise DataError(f"{path} needs a line that names columns, and rows below it.")
    header = [normal(name.removeprefix("\ufeff")) for name in rows[0][1]]
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise DataError(
                f"Line {line} of {path} has {len(row)} cells, and the first line names"
                f" {len(header)} columns."
            )
    if len(set(header)) < len(header):
        raise DataError(f"{path} has two columns of the same name.")
    lines, cells = zip(*rows[1:])
    return CellTable(path, header, list(cells), list(lines), form.notes)
