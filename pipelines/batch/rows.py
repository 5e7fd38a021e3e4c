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
# Fields of an answer that a table has in one column each, in this order.
_SINGLE = (
    "label",
    "labels",
    "confidence",
    "accepted",
    "ood_score",
    "anomaly_score",
    "p_value",
    "anomalous",
)
_BETWEEN_LABELS = "|"
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


def header(form: str, columns: Sequence[str], first: Mapping[str, Any]) -> str:
    """The line before the `first` row of an output; JSON has none."""
    return "" if form == ".jsonl" else cells([*columns, *_by_column(first)])


def line_of(form: str, columns: Sequence[str], values: Mapping[str, Any]) -> str:
    """One row. In a table, every name has a column, and a text stays on its line."""
    if form == ".jsonl":
        return json.dumps(values, allow_nan=False) + "\n"
    origin = [values[name] for name in columns]
    return cells([*origin, *_by_column(values).values()])


def _by_column(values: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of an answer by column; the fields that it has show its kind.

    Several labels have bars between them, as in a table to train on. A number has its
    interval beside it.
    """
    cells = {name: values[name] for name in _SINGLE if name in values}
    if "labels" in cells:
        cells["labels"] = _BETWEEN_LABELS.join(cells["labels"])
    if "prediction_set" in values:
        cells["prediction_set"] = json.dumps(values["prediction_set"])
    cells["valid"] = values["valid"]
    for name, probability in values.get("probabilities", {}).items():
        cells[f"probability:{name}"] = probability
    for name, number in values.get("values", {}).items():
        lower, upper = values["intervals"][name]
        cells |= {f"value:{name}": number, f"lower:{name}": lower}
        cells[f"upper:{name}"] = upper
    return cells


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
    examples = _examples(predictor, contents)
    yield from map(dataclasses.asdict, predictor.predict(examples))


def _features(
    predictor: Predictor, contents: Sequence[bytes]
) -> Iterator[dict[str, Any]]:
    for row in predictor.features(_examples(predictor, contents)):
        # By the artifact's convention, zeros only are an example that is not valid.
        yield {"features": row.tolist(), "valid": bool(row.any())}


def _examples(predictor: Predictor, contents: Sequence[bytes]) -> list[Any]:
    """What a predictor takes: the contents, or the rows that they write as JSON."""
    if predictor.modality == "table":
        return [json.loads(content) for content in contents]
    return list(contents)


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


def cells(values: Sequence[Any]) -> str:
    """The values as a line of a table, without a formula in it."""
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
