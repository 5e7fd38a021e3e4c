"""The separator and the encoding of a table, from its first rows."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import itertools
from collections.abc import Collection, Sequence
from pathlib import Path

from pipelines.data.spelling import normal
from pipelines.errors import DataError

# The values of `delimiter=`, and their characters.
DELIMITERS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    ",": ",",
    ";": ";",
    "|": "|",
}
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "upright bars"}
_TABS = (".tsv", ".tab")
# The first bytes of spreadsheets; a mark comes before marks that it begins with.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8 = ("utf-8", "utf-8-sig")
# The part of a table that is read for it.
_SAMPLE_BYTES = 2**18
_SAMPLE_ROWS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """The separator of cells, the encoding, and notes on them."""

    delimiter: str
    encoding: str
    notes: tuple[str, ...] = ()


def has_encoding(name: str) -> bool:
    """True if Python knows an encoding of texts of this name."""
    try:
        b"text".decode(name, "ignore")
    except (LookupError, ValueError):
        return False
    return True


def form_of(
    path: Path,
    *,
    columns: Collection[str],
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Form:
    """The form of a table, unless `delimiter` and `encoding` are set.

    The separator is the one with most of the expected `columns`, and with as many cells
    in every row as in the first. A text may hold any of these characters, so counts of
    them, as in `csv.Sniffer`, prove nothing.

    Raises:
        DataError: if the file cannot be read, or is in another encoding.
    """
    try:
        with path.open("rb") as stream:
            sample = stream.read(_SAMPLE_BYTES)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    notes = []
    if encoding is None:
        encoding = _encoding(sample, path)
        if encoding not in _UTF8:
            notes.append(f"{path.name} is in {encoding}, as its first bytes say.")
    if delimiter is not None:
        return Form(DELIMITERS[delimiter], encoding, tuple(notes))
    usual = "\t" if path.suffix.lower() in _TABS else ","
    text = _decoded(sample, encoding, path)
    separator = _delimiter(text, usual, columns, is_cut=len(sample) == _SAMPLE_BYTES)
    if separator != usual:
        notes.append(f"The cells of {path.name} are separated by {_WORDS[separator]}.")
    return Form(separator, encoding, tuple(notes))


def not_utf8(path: Path, error: UnicodeDecodeError) -> DataError:
    """The error for a table in another encoding than it was read in."""
    near = error.object[max(error.start - 20, 0) : error.start + 20]
    return DataError(
        f"{path} cannot be read as a table: it is not {error.encoding.upper()}"
        f" ({error.reason}, near {near!r}). Save it as UTF-8, or say what it is, as in"
        " encoding=cp1252 for a table that a spreadsheet wrote on Windows in the west"
        " of Europe."
    )


def _encoding(sample: bytes, path: Path) -> str:
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    if b"\0" in sample:
        raise DataError(
            f"{path} cannot be read as a table: it has bytes of zero, as texts in"
            " UTF-16 have. Save it as UTF-8, or say what it is, as in"
            " encoding=utf-16-le."
        )
    return "utf-8"


def _decoded(sample: bytes, encoding: str, path: Path) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(sample)  # without what is cut at the end
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None


def _delimiter(
    text: str, usual: str, expected: Collection[str], *, is_cut: bool
) -> str:
    def score(delimiter: str) -> tuple[int, bool, bool]:
        rows, is_whole = _rows(text, delimiter, is_cut=is_cut)
        header = [normal(name) for name in rows[0]] if rows else []
        is_even = is_whole and all(len(row) == len(header) for row in rows)
        known = len(set(expected) & set(header))
        return known, is_even and len(header) > 1, is_even

    # Of several that are as good, the first.
    return max((usual, *(mark for mark in _WORDS if mark != usual)), key=score)


def _rows(
    text: str, delimiter: str, *, is_cut: bool
) -> tuple[Sequence[list[str]], bool]:
    """The first rows, and whether they could be read."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        for row in itertools.islice(reader, _SAMPLE_ROWS):
            if row:
                rows.append(row)
    except csv.Error:
        return rows, is_cut and bool(rows)  # perhaps only cut inside of a cell
    return rows[:-1] if is_cut and 1 < len(rows) < _SAMPLE_ROWS else rows, True
