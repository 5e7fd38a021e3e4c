"""The kind of a column, from its cells: numbers or categories, or refused by name."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from pipelines.data.names import listing
from pipelines.data.splits import Table
from pipelines.display.text import input_name, shortened, shown
from pipelines.errors import DataError
from zoo.spec import Column

# As in the graph of an artifact, `zoo.graph.columns`.
MISSING_WORDS = ("", "nan", "na", "n/a", "null", "none", "?", "-")
BLANKS = " \t\n\r\v\f"
# A category of its own for each, of the most frequent.
MOST_CATEGORIES = 1000
# From this number of rows on, a column whose cells all differ names its rows.
_FEWEST_NAMES = 20
_MOSTLY = 0.9
_SHOWN = 5
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[./]\d{1,2}[./](\d{2}|\d{4})"
)

# The cells of a column: texts, or numbers with NaN for missing ones, float64.
Cells = Sequence[str] | np.ndarray
# The name of a row, for messages.
Where = Callable[[int], str]


@dataclasses.dataclass(frozen=True, eq=False)
class ColumnsRead:
    """The rows of a table, and sentences on how its columns were read."""

    table: Table
    notes: tuple[str, ...]


def read_columns(cells: Mapping[str, Cells], where: Where, *, of: str) -> ColumnsRead:
    """The columns of a table by name, each of the kind that its cells show.

    Columns that say nothing are left out, and a note names them: without a value, with
    the same one in each row, or with another one in each row.

    Raises:
        DataError: naming the column and the row, for dates, for infinite numbers, for a
            comma that may part thousands or decimals, for a name that no client can
            send, and if no column is left. `of` names the table.
    """
    check_names(cells, of=of)
    columns, values, notes, empty = [], [], [], []
    for name, texts in cells.items():
        column, numbers, why = _kind_of(name, texts, where)
        if column is None:
            empty.append(f"{shown(name)} ({why})")
            continue
        columns.append(column)
        values.append(numbers)
        notes += [why] if why else []
    if empty:
        notes.append(
            f"Columns of {of} that say nothing are left out:"
            f" {listing(empty, shown=_SHOWN)}."
        )
    if not columns:
        raise DataError(
            f"{of} has no column to learn from: {listing(empty, shown=_SHOWN)}. Name"
            " columns of numbers or categories, as in columns=age,job."
        )
    table = Table(tuple(columns), np.stack(values, axis=1).astype(np.float32))
    return ColumnsRead(table, (_in_words(table.columns, of), *notes))


def read_known(
    cells: Mapping[str, Cells], columns: Sequence[Column], where: Where, *, of: str
) -> ColumnsRead:
    """The columns that a network was trained on; all others are left.

    Raises:
        DataError: naming the columns that are missing, or the row of a cell that is not
            a number where numbers are expected.
    """
    missing = [shown(c.name) for c in columns if c.name not in cells]
    if missing:
        raise DataError(
            f"{of} lacks {len(missing)} of the {len(columns)} columns that the artifact"
            f" takes: {listing(missing, shown=_SHOWN)}. It has"
            f" {listing(list(map(shown, cells)), shown=_SHOWN)}. Add them; an empty"
            " cell says that a value is missing."
        )
    values = [
        numbers(column.name, cells[column.name], where)
        if column.is_number
        else codes(column, [text_of(cell) for cell in cells[column.name]])
        for column in columns
    ]
    return ColumnsRead(Table(tuple(columns), np.stack(values, axis=1)), ())


def text_of(cell: object) -> str:
    """A cell as text: whole numbers without a point, nothing for a missing one."""
    if isinstance(cell, str):
        return cell
    number = float(cell)  # type: ignore[arg-type]
    if number != number:
        return ""
    return str(int(number)) if number.is_integer() else repr(number)


def check_names(names: Iterable[str], *, of: str) -> None:
    """Raises `DataError` for names of columns that clients could not send.

    A served model has inputs with letters, digits and `_` in their names.
    """
    known: dict[str, str] = {}
    for name in names:
        safe = input_name(name)
        if not safe:
            raise DataError(
                f"{of} has a column {shown(name)!r}, whose name has no Latin letter or"
                " digit, and the input of a served model needs one. Rename it, or leave"
                " it out of columns=."
            )
        if safe in known:
            raise DataError(
                f"{of} has the columns {shown(known[safe])!r} and {shown(name)!r},"
                f" which would both be the input {safe!r} of a served model. Rename"
                " one."
            )
        known[safe] = name


def is_missing(cell: str) -> bool:
    """True for a cell that says that its value is missing."""
    return cell.strip(BLANKS).lower() in MISSING_WORDS


def codes(column: Column, cells: Sequence[str]) -> np.ndarray:
    """Cells as the places of their categories, float32 `[n]`; see `Column`."""
    place = {name: i for i, name in enumerate(column.categories or (), start=1)}
    return np.array(
        [
            np.nan if is_missing(cell) else place.get(cell.strip(BLANKS), 0)
            for cell in cells
        ],
        np.float32,
    )


def numbers(name: str, cells: Cells, where: Where) -> np.ndarray:
    """Cells as numbers, float32 `[n]`, NaN where one is missing.

    Raises:
        DataError: naming the row of the first that is not a finite number.
    """
    if isinstance(cells, np.ndarray):
        values = cells.astype(np.float64)
    else:
        is_comma = _has_commas(name, {c.strip(BLANKS) for c in cells}, cells, where)
        values = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            if not is_missing(cell):
                values[row] = _number(name, cell.strip(BLANKS), is_comma, row, where)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    infinite = np.flatnonzero(np.isinf(narrow))
    if len(infinite):
        raise _not_finite(name, f"{values[infinite[0]]:g}", where(int(infinite[0])))
    return narrow


def _number(name: str, cell: str, is_comma: bool, row: int, where: Where) -> float:
    if _INFINITE.fullmatch(cell):
        raise _not_finite(name, cell, where(row))
    text = cell.replace(",", ".") if is_comma else cell
    if not _NUMBER.fullmatch(text):
        raise DataError(
            f"{where(row)}: {shortened(shown(cell))!r} in the column {shown(name)!r} is"
            " not a number. Correct it, or empty the cell, which says that the value is"
            " missing."
        )
    return float(text)


def _not_finite(name: str, cell: str, place: str) -> DataError:
    return DataError(
        f"{place}: the column {shown(name)!r} has {cell}, which is infinite or too"
        " large for float32. Correct it, or empty the cell, which says that the value"
        " is missing."
    )


def _kind_of(
    name: str, cells: Cells, where: Where
) -> tuple[Column | None, np.ndarray, str]:
    """The column and its values, with a note; without a column, why it says nothing."""
    if isinstance(cells, np.ndarray):
        return _of_numbers(name, numbers(name, cells, where), "")
    counts = Counter(cell.strip(BLANKS) for cell in cells if not is_missing(cell))
    if not counts:
        return None, np.zeros(0), "every value is missing"
    fits = {cell: _is_number(cell) for cell in counts}
    if all(fits.values()) or all(_COMMA_NUMBER.fullmatch(c) for c in counts):
        is_comma = _has_commas(name, set(counts), cells, where)
        note = f"Numbers of the column {shown(name)!r} have decimal commas."
        return _of_numbers(name, numbers(name, cells, where), note if is_comma else "")
    if all(_DATE.fullmatch(cell) for cell in counts):
        raise DataError(
            f"The column {shown(name)!r} holds dates, such as"
            f" {shown(next(iter(counts)))!r} in {where(_row_of(cells, counts))}, and a"
            " network learns from numbers and categories. Add columns such as the"
            " month, the day of the week or the days since a date, and leave this one"
            " out of columns=."
        )
    return _of_categories(name, cells, counts, fits, where)


def _of_numbers(
    name: str, values: np.ndarray, note: str
) -> tuple[Column | None, np.ndarray, str]:
    present = values[~np.isnan(values)]
    if not len(present):
        return None, values, "every value is missing"
    if len(present) == len(values) and (present == present[0]).all():
        return None, values, f"always {present[0]:g}"
    return Column(name), values, note


def _of_categories(
    name: str,
    cells: Sequence[str],
    counts: Counter[str],
    fits: Mapping[str, bool],
    where: Where,
) -> tuple[Column | None, np.ndarray, str]:
    total = sum(counts.values())
    if len(counts) == 1 and total == len(cells):
        return None, np.zeros(0), f"always {shortened(shown(next(iter(counts))), 40)}"
    if len(counts) == total >= _FEWEST_NAMES:
        return None, np.zeros(0), "another value in each row"
    kept = sorted(sorted(counts), key=lambda cell: -counts[cell])[:MOST_CATEGORIES]
    column = Column(name, tuple(sorted(kept)))
    note = ""
    if len(kept) < len(counts):
        note = (
            f"The column {shown(name)!r} has {len(counts):,} categories; the"
            f" {len(kept):,} most frequent are read, and all others as one that is"
            " unknown."
        )
    share = sum(counts[cell] for cell, is_number in fits.items() if is_number) / total
    if share >= _MOSTLY:
        strange = next(cell for cell, is_number in fits.items() if not is_number)
        row = _row_of(cells, {strange})
        note = (
            f"The column {shown(name)!r} is read as categories, because of"
            f" {shortened(shown(strange), 40)!r} in {where(row)}. Empty such cells if"
            f" it has numbers. {note}"
        ).strip()
    return column, codes(column, cells), note


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _INFINITE.fullmatch(cell))


def _has_commas(name: str, present: set[str], cells: Cells, where: Where) -> bool:
    """True if commas are the points of decimals.

    Raises:
        DataError: if they may part thousands as well.
    """
    commas = {cell for cell in present if "," in cell}
    if not commas or not all(_COMMA_NUMBER.fullmatch(cell) for cell in commas):
        return False
    if all(_THOUSANDS.fullmatch(cell) for cell in commas):
        raise DataError(
            f"{where(_row_of(cells, commas))}: the column {shown(name)!r} has numbers"
            f" such as {sorted(commas)[0]!r}, whose comma may part thousands or"
            " decimals. Write them without parted thousands, and with a point before"
            " decimals."
        )
    return True


def _row_of(cells: Cells, some: object) -> int:
    """The first row with one of some cells."""
    return next(i for i, cell in enumerate(cells) if str(cell).strip(BLANKS) in some)  # type: ignore[operator]


def _in_words(columns: Sequence[Column], of: str) -> str:
    named = [f"{shown(c.name)} ({_size(c)})" for c in columns]
    return f"{of} is read as a table of {listing(named, shown=2 * _SHOWN)}."


def _size(column: Column) -> str:
    if column.categories is None:
        return "numbers"
    return f"{len(column.categories):,} categories"
