"""`ts:` and `arff:` - series in the two formats of the UCR and UEA archives.

Both are text: a header, and a series with its class on each line. `.ts` is read here,
because what reads it elsewhere brings a whole toolkit; `.arff` by SciPy.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.data.readers.series_arrays import padded
from pipelines.data.spelling import index_classes
from pipelines.data.splits import Examples
from pipelines.errors import DataError
from zoo.storage.home import expanded

# Beside a file with the first ending lies one with the second, its test split.
_PARTS = {"_TRAIN": "train", "_TEST": "test"}
_MISSING = ("?", "nan", "NaN", "")

# One series, `[steps, channels]`, and its class.
_Row = tuple[np.ndarray, str]


def read(scheme: str, location: str) -> Examples:
    """The series of a file, and of its sibling if it is one half of an archive's pair.

    `NAME_TRAIN.ts` and `NAME_TEST.ts` are read together, with those splits. Series of
    several lengths are padded with NaN at the end.

    Raises:
        DataError: if a file is missing or is not of the format; it names the line.
    """
    path = expanded(location).absolute()
    if not path.is_file():
        raise DataError(
            f"There is no file {path}. Check the path after '{scheme}:'; of a pair,"
            " name either file, such as NAME_TRAIN.ts."
        )
    files = _pair(path)
    rows: list[_Row] = []
    names: list[str] = []
    splits: list[str] = []
    for file, split in files.items():
        own = list(_READERS[scheme](file))
        if not own:
            raise DataError(f"{file} has a header and no series.")
        rows += own
        names += [f"{file.name}, series {i}" for i in range(1, len(own) + 1)]
        splits += [split] * len(own)
    classes = index_classes([label for _, label in rows])
    return Examples(
        inputs=padded([values for values, _ in rows], names),
        names=names,
        labels=classes.labels,
        class_names=classes.names,
        splits=splits if len(files) > 1 else None,
        notes=classes.notes,
    )


def _pair(path: Path) -> dict[Path, str]:
    """The files to read, and the split of each; train first."""
    for ending in _PARTS:
        if path.stem.endswith(ending):
            stem = path.stem.removesuffix(ending)
            both = {
                path.with_name(f"{stem}{other}{path.suffix}"): split
                for other, split in _PARTS.items()
            }
            if all(file.is_file() for file in both):
                return both
    return {path: ""}


def _read_ts(path: Path) -> Iterator[_Row]:
    is_data = False
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(map(str.strip, stream), start=1):
                if not line or line.startswith(("#", "%")):
                    continue
                if not is_data:
                    is_data = _read_header(line, number, path)
                    continue
                yield _ts_row(line, number, path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a .ts file: {error}.") from None
    if not is_data:
        raise DataError(f"{path} is not a .ts file: it has no line '@data'.")


def _read_header(line: str, number: int, path: Path) -> bool:
    """True for the line after which the series come."""
    word, _, value = line.lower().partition(" ")
    if not word.startswith("@"):
        raise DataError(
            f"{path} is not a .ts file: line {number} comes before '@data' and does not"
            f" begin with '@' ({line[:30]!r})."
        )
    if word == "@timestamps" and value.strip() == "true":
        raise DataError(
            f"{path} has time stamps (line {number}: {line!r}). Steps are read as"
            " evenly spaced, so bring the series to one rate and write them without"
            " stamps, or use a table: csv:PATH?series=COLUMN&time=COLUMN."
        )
    if word in ("@classlabel", "@targetlabel") and value.startswith("false"):
        raise DataError(f"{path} has no labels (line {number}: {line!r}).")
    return word == "@data"


def _ts_row(line: str, number: int, path: Path) -> _Row:
    *channels, label = line.split(":")
    if not channels:
        raise DataError(
            f"Line {number} of {path} is not a series: expected numbers with commas"
            " between them, a colon, and a class."
        )
    values = [_numbers(channel, number, path) for channel in channels]
    steps = max(map(len, values))
    series = np.full((steps, len(values)), np.nan, np.float64)
    for channel, column in enumerate(values):
        series[: len(column), channel] = column
    return series, label


def _numbers(text: str, number: int, path: Path) -> np.ndarray:
    cells = [cell.strip() for cell in text.split(",")]
    try:
        return np.array([np.nan if c in _MISSING else float(c) for c in cells])
    except ValueError as error:
        raise DataError(f"Line {number} of {path} is not a series: {error}.") from None


def _read_arff(path: Path) -> Iterator[_Row]:
    from scipy.io import arff

    try:
        with warnings.catch_warnings(), path.open(encoding="utf-8") as stream:
            warnings.simplefilter("ignore")
            rows, about = arff.loadarff(stream)
    except (OSError, ValueError, NotImplementedError, StopIteration) as error:
        raise DataError(
            f"{path} cannot be read as an .arff file: {error}. It needs numeric"
            " attributes, or one that is relational, and then a nominal class."
        ) from None
    *attributes, last = about.names()
    if not attributes or about[last][0] != "nominal":
        raise DataError(
            f"{path} ends in the attribute {last!r}, which is not a class: expected a"
            " nominal one, as in '@attribute class {a,b}'."
        )
    for row in rows:
        yield _arff_values(row, attributes, path), row[last].decode()


def _arff_values(row: np.void, attributes: list[str], path: Path) -> np.ndarray:
    first = row[attributes[0]]
    if len(attributes) == 1 and isinstance(first, np.ndarray):
        # Relational: a row for each channel.
        return np.array([list(channel) for channel in first.tolist()], np.float64).T
    try:
        return np.array([float(row[name]) for name in attributes])[:, None]
    except ValueError:
        raise DataError(
            f"{path} has attributes that are not numbers before its class."
        ) from None


_READERS = {"ts": _read_ts, "arff": _read_arff}
