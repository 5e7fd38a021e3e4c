"""One example from the content of one file, to predict it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.display.text import shown
from pipelines.errors import DataError

_TABLES = (".csv", ".tsv", ".tab")


def parse_example(
    content: bytes, path: Path, modality: str
) -> bytes | np.ndarray | dict[str, Any]:
    """The input of an artifact of this modality.

    Images, texts and sounds are the bytes themselves. A series is a `.npy` array or
    lines of numbers, `[steps, channels]` or `[steps]`, and becomes float32 `[steps,
    channels]`. The file shows which character separates numbers. A row of a table is
    an object of JSON.

    Raises:
        DataError: if the file holds no series, or is a table of many examples.
    """
    if modality == "table":
        return _row(content, path)
    if modality != "series":
        _refuse_table(path, modality)
        return content
    try:
        if path.suffix == ".npy":
            values = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            values = _numbers(content.decode("utf-8-sig"))
        values = np.asarray(values, np.float32)
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{shown(str(path))} holds no series: {error}. Give a .npy array, or a line"
            " of numbers for each step, between commas; or between semicolons, tabs or"
            " blanks, and then with points or commas for decimals."
        ) from error
    if values.ndim not in (1, 2):
        raise DataError(
            f"{path} has shape {values.shape}; a series is [steps, channels]."
        )
    return values if values.ndim == 2 else values[:, np.newaxis]


def _row(content: bytes, path: Path) -> dict[str, Any]:
    if path.suffix.lower() in (*_TABLES, ".parquet"):
        scheme = "parquet" if path.suffix.lower() == ".parquet" else "csv"
        raise DataError(
            f"{shown(str(path))} is a whole table. Predict its rows with: zoo predict"
            f" ARTIFACT '{scheme}:{shown(str(path))}' --to OUT.csv"
        )
    try:
        row = json.loads(content)
    except ValueError as error:
        raise DataError(
            f"{shown(str(path))} is not a row of a table: {error}. Give a file of JSON"
            ' such as {"age": 39, "job": "cook"}, with null for a missing value.'
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{shown(str(path))} holds a {type(row).__name__}; a row of a table is an"
            ' object such as {"age": 39, "job": "cook"}.'
        )
    return row


def _refuse_table(path: Path, modality: str) -> None:
    """Refuses a table, which would be one text that begins with names of columns."""
    if path.suffix.lower() in _TABLES:
        raise DataError(
            f"{shown(str(path))} is a table by its name, and a single {modality} is"
            " asked about here. Predict its rows with: zoo predict ARTIFACT"
            f" 'csv:{shown(str(path))}?{modality}=COLUMN' --to OUT.csv; or give the"
            " file another ending."
        )


def _numbers(text: str) -> np.ndarray:
    """The numbers of a file, a line for each step.

    A comma separates them, unless a semicolon or a tab does, or blanks and no comma
    followed by one: then it is the point of decimals, as in half of Europe.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    first = lines[0]
    delimiter = next((character for character in ";\t" if character in first), ",")
    words = first.split()
    if (
        delimiter == ","
        and len(words) > 1
        and not all(w.endswith(",") for w in words[:-1])
    ):
        delimiter = " "
    if delimiter != ",":
        lines = [line.replace(",", ".") for line in lines]
    return np.loadtxt(lines, delimiter=None if delimiter == " " else delimiter)
