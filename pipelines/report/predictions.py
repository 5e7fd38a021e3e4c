"""`predictions.jsonl`: the answer of an artifact for each held-out example.

A line is a JSON object with the fields of `PredictionRow`, in ASCII. Lines are read and
written one by one: a file of 50,000 rows never lies in memory as a whole.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import ConfigError

FILE_NAME = "predictions.jsonl"
# Up to this number of classes a row has the probabilities of all; of more it has the
# largest ones, and the one of its label.
ALL_CLASSES, LARGEST = 20, 10
# Of a line that cannot be read, in a message.
_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class PredictionRow:
    """The answer for one example, and its label.

    `example` is the name of a file, relative to the folder of the data, or of a row.
    `probabilities` are calibrated and sorted, largest first: of all classes up to 20,
    or else the ten largest and the label's. `ood_score` is above 1 for an example that
    is unlike the training data. An example that is not valid has an empty `predicted`.
    """

    split: str
    example: str
    label: str
    predicted: str
    confidence: float
    accepted: bool
    ood_score: float
    probabilities: Mapping[str, float]

    @property
    def is_right(self) -> bool:
        """True if the label was predicted."""
        return self.predicted == self.label


class WorstMistakes:
    """The mistakes with the highest confidence among rows that go by.

    >>> worst = WorstMistakes(5)
    >>> for row in worst.watched([]):
    ...     pass
    >>> worst.rows
    []
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, PredictionRow]] = []

    def watched(self, rows: Iterable[PredictionRow]) -> Iterator[PredictionRow]:
        """The same rows, one by one."""
        for number, row in enumerate(rows):
            if not row.is_right:
                # No two have the same number, so rows are never compared.
                heapq.heappush(self._heap, (row.confidence, -number, row))
                if len(self._heap) > self._count:
                    heapq.heappop(self._heap)
            yield row

    @property
    def rows(self) -> list[PredictionRow]:
        """The worst of the rows so far, worst first; of equal ones the earlier."""
        return [row for *_, row in sorted(self._heap, reverse=True)]


def lines(rows: Iterable[Any]) -> Iterator[bytes]:
    """The lines of a file of predictions, one for each row, as they are asked for.

    Rows are `PredictionRow`, or those of `answer_rows`.
    """
    for row in rows:
        values = {
            field.name: getattr(row, field.name) for field in dataclasses.fields(row)
        }
        text = json.dumps(values, allow_nan=False)
        yield text.encode("ascii") + b"\n"


def read(path: Path) -> Iterator[PredictionRow]:
    """The rows of a file, in order, each read when it is asked for.

    Raises:
        ConfigError: naming the file, and the line if one is not a row of predictions.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                yield _row(line, path, number)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"{path} cannot be read: {reason}. A run writes it at its end; runs of"
            " older versions have none."
        ) from error


def _row(line: bytes, path: Path, number: int) -> PredictionRow:
    try:
        values = json.loads(line)
        return PredictionRow(
            **{field.name: _checked(field.name, values) for field in _FIELDS}
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        begins = line[:_SHOWN].decode("ascii", "backslashreplace").rstrip()
        raise ConfigError(
            f"{path}, line {number} is not a row of predictions ({error!r}): it begins"
            f" with {begins!r}. Restore the file, or train again."
        ) from error


def _checked(name: str, values: Mapping[str, Any]) -> Any:
    """A field of a row, if it has the type that a reader counts on.

    Raises:
        KeyError, TypeError, ValueError: if not.
    """
    value = values[name]
    if name in ("confidence", "ood_score"):
        return _number(name, value)
    if name == "probabilities":
        if not isinstance(value, dict) or not value:
            raise ValueError(f"{name} is not an object with numbers")
        if values["label"] not in value:
            raise ValueError(f"{name} has none for the label")
        return {label: _number(name, number) for label, number in value.items()}
    kind = bool if name == "accepted" else str
    if not isinstance(value, kind):
        raise ValueError(f"{name} is not of type {kind.__name__}")
    return value


def _number(name: str, value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(f"{name} holds {value!r}, which is not a finite number")
    return float(value)


_FIELDS = dataclasses.fields(PredictionRow)
