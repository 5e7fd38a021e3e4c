"""The files of a finished run that a comparison reads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ConfigError
from pipelines.report import predictions
from pipelines.report.predictions import PredictionRow

# A probability that rounds to 0 in float32 costs what the smallest number does.
_TINY = float(np.finfo(np.float32).tiny)
# Problems whose examples have one class, or grade, each.
_COMPARED = ("single_label", "ordinal")


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The answers of a run for its test examples, in their order.

    `examples` and `labels` are names; `right` is bool `[n]`, `confidence` float64 `[n]`
    the probability of the answer, and `loss` float64 `[n]` minus the log of the
    probability of the label.
    """

    examples: Sequence[str]
    labels: Sequence[str]
    right: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray

    def __len__(self) -> int:
        return len(self.right)

    def take(self, rows: Sequence[int] | np.ndarray) -> Answers:
        """Some of the answers."""
        index = np.asarray(rows, np.int64)
        return Answers(
            [self.examples[i] for i in index],
            [self.labels[i] for i in index],
            self.right[index],
            self.confidence[index],
            self.loss[index],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class FinishedRun:
    """A finished run: its folder, the values of its files, and its answers on test."""

    path: Path
    config: Mapping[str, Any]
    report: Mapping[str, Any]
    answers: Answers


def is_compared(kind: str) -> bool:
    """True if runs of this kind of problem are compared, example by example."""
    return kind in _COMPARED


def read(folder: Path) -> FinishedRun:
    """The files of a finished run.

    Raises:
        ConfigError: if the folder holds no finished run, a file cannot be read, or an
            older version wrote it, which kept no predictions.
    """
    report = read_report(folder)
    kind = report.get("problem", "single_label")
    if not is_compared(kind):
        raise ConfigError(
            f"{folder} has a problem of the kind {kind}, and runs are compared by"
            " examples that have one class each. Compare the values of `test` in"
            " their report.json."
        )
    if not (folder / predictions.FILE_NAME).is_file():
        raise ConfigError(
            f"{folder} has no {predictions.FILE_NAME}: a version of zootune that kept"
            " no predictions left it. Train it again, from its own config: zoo train"
            f" --config={folder / 'config.json'} --config.workdir=NEW"
        )
    answers = _answers(folder / predictions.FILE_NAME)
    return FinishedRun(folder, _object(folder / "config.json"), report, answers)


def read_report(folder: Path) -> Mapping[str, Any]:
    """The values of `report.json` of a finished run.

    Raises:
        ConfigError: if the folder holds no finished run, or the file cannot be read.
    """
    if not (folder / "report.json").is_file():
        raise ConfigError(
            f"{folder} holds no finished run: it has no report.json. Name the"
            " config.workdir of a finished one."
        )
    return _object(folder / "report.json")


def answers_of(rows: Iterable[PredictionRow]) -> Answers:
    """The answers of predictions whose examples have one class each, in order."""
    examples, labels, right, confidence, of_label = [], [], [], [], []
    names: dict[str, str] = {}  # one object for each class, however many its examples
    for row in rows:
        examples.append(row.example)
        labels.append(names.setdefault(row.label, row.label))
        right.append(row.is_right)
        confidence.append(row.confidence)
        of_label.append(row.probabilities[row.label])
    loss = -np.log(np.maximum(np.array(of_label), _TINY))
    return Answers(examples, labels, np.array(right, bool), np.array(confidence), loss)


def _object(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no JSON object.")
    return values


def _answers(path: Path) -> Answers:
    answers = answers_of(row for row in predictions.read(path) if row.split == "test")
    if not len(answers):
        raise ConfigError(
            f"{path} has no row of the test split. Only runs whose examples have one"
            " class each can be compared."
        )
    return answers
