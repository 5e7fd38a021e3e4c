"""Predictions or features as lines of a file: JSON, or cells of a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.batch.source import Item, file_bytes
from pipelines.data.reference import MAXIMUM_BYTES_PER_PIXEL, MAXIMUM_MEGAPIXELS
from pipelines.display.text import shown
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.serving.predictor import Predictor

PREDICTIONS, FEATURES = "predictions", "features"
FORMS = (".jsonl", ".csv")
# Columns of a table before the probabilities.
_ANSWER = ("label", "confidence", "accepted", "ood_score", "prediction_set", "valid")
_BATCH_SIZE = 32
_FORMULA = ("=", "+", "-", "@")
# Read at a time, unless a single file is larger.
_BATCH_BYTES = 64 * 2**20


def form_of(path: Path, *, kind: str) -> str:
    """`.jsonl` or `.csv`. Raises `ConfigError` for any other ending."""
    forms = FORMS if kind == PREDICTIONS else FORMS[:1]
    if path.suffix not in forms:
        raise ConfigError(
            f"--to {path} must end in {' or '.join(forms)}, which says how {kind} are"
            " written."
        )
    return path.suffix


def require_form(form: str, problem: str) -> None:
    """Raises `ConfigError` for a table of answers that are not on one class each."""
    if form == ".csv" and problem not in ("single_label", "ordinal"):
        raise ConfigError(
            f"The artifact answers 'config.problem={problem}', and a table has columns"
            " for one class each. Write predictions with --to FILE.jsonl."
        )


def header(form: str, columns: Sequence[str], class_names: Sequence[str]) -> str:
    """The line before the first row; JSON has none."""
    if form == ".jsonl":
        return ""
    classes = (f"probability:{name}" for name in class_names)
    return _cells([*columns, *_ANSWER, *classes])


def line_of(form: str, columns: Sequence[str], values: Mapping[str, Any]) -> str:
    """One row. In a table, every class has a column, and a name stays on its line."""
    if form == ".jsonl":
        return json.dumps(values, allow_nan=False) + "\n"
    cells = {**values, "prediction_set": json.dumps(values["prediction_set"])}
    named = [cells[name] for name in (*columns, *_ANSWER)]
    return _cells([*named, *values["probabilities"].values()])


def predicted(
    predictor: Predictor, items: Iterator[Item], *, kind: str
) -> Iterator[dict[str, Any]]:
    """A row for each item, in order: its origin, and its prediction or features.

    A file that is not an image, is missing or cannot be read is not valid, and
    stops nothing. At most two batches are in memory.
    """
    megapixels = predictor.artifact.manifest.preprocessing.get("maximum_megapixels")
    most = int((megapixels or MAXIMUM_MEGAPIXELS) * 1e6 * MAXIMUM_BYTES_PER_PIXEL)
    with ThreadPoolExecutor() as threads:
        batches = _batches(items)
        batch = next(batches, [])
        reading = [threads.submit(_content, item, most) for item in batch]
        while batch:
            contents = [answer.result() for answer in reading]
            now, batch = batch, next(batches, [])
            reading = [threads.submit(_content, item, most) for item in batch]
            for item, values in zip(now, _ANSWERS[kind](predictor, contents)):
                yield {**item.origin, **values}


def _predictions(
    predictor: Predictor, contents: Sequence[bytes]
) -> Iterator[dict[str, Any]]:
    yield from map(dataclasses.asdict, predictor.predict(contents))


def _features(
    predictor: Predictor, contents: Sequence[bytes]
) -> Iterator[dict[str, Any]]:
    for row in predictor.features(contents):
        # By the artifact's convention, zeros only are an example that is not valid.
        yield {"features": row.tolist(), "valid": bool(row.any())}


_ANSWERS = {PREDICTIONS: _predictions, FEATURES: _features}


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    total = 0
    for item in items:
        size = len(item.text or b"") if item.path is None else file_bytes(item.path)
        if batch and (len(batch) == _BATCH_SIZE or total + size > _BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += max(size, 0)
    if batch:
        yield batch


def _content(item: Item, most: int) -> bytes:
    """The bytes of an example; no bytes at all if it cannot be read."""
    if item.path is None:
        return item.text or b""
    if not 0 <= file_bytes(item.path) <= most:
        return b""
    try:
        return Path(item.path).read_bytes()
    except OSError:  # like a broken image: its row is not valid, the others go on
        return b""


def _cells(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_harmless, values))
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """A cell on one line that no spreadsheet computes: formulas get a quote in front.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    text = shown(value)
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text  # a label such as -1
