"""The files of a finished run that its page is made of, as plain values."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import ConfigError
from pipelines.report.gallery_files import FILE_NAME as GALLERY
from pipelines.report.gallery_files import Gallery, gallery_of
from pipelines.report.predictions import FILE_NAME as PREDICTIONS
from pipelines.report.predictions import PredictionRow
from pipelines.report.predictions import read as read_rows

# Problems whose examples have one class, or grade, each.
_ONE_CLASS = ("single_label", "ordinal")


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The files of a finished run, as plain values.

    `history` has a row per epoch. `predictions` and `gallery` are None, and `card` is
    empty, if an older version wrote the run. Where examples do not have one class each,
    `answers` have the fields of the rows of `answer_rows`, in place of `predictions`.
    """

    report: Mapping[str, Any]
    plan: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    predictions: Sequence[PredictionRow] | None = None
    answers: Sequence[Mapping[str, Any]] = ()
    gallery: Gallery | None = None

    @functools.cached_property
    def predictions_of(self) -> Mapping[str, Sequence[PredictionRow]]:
        """The kept predictions by split, in the order of the examples."""
        rows: dict[str, list[PredictionRow]] = defaultdict(list)
        for row in self.predictions or ():
            rows[row.split].append(row)
        return rows


def read(folder: Path) -> RunFiles:
    """The files of a finished run.

    Raises:
        ConfigError: if the folder holds no finished run, or a file cannot be read.
    """
    if not (folder / "report.json").is_file():
        raise ConfigError(
            f"{folder} holds no finished run: it has no report.json. Name the"
            " config.workdir of one; an unfinished run goes on with `zoo train`."
        )
    card, gallery = folder / "data_card.json", folder / GALLERY
    predictions = folder / PREDICTIONS
    report = _report(folder / "report.json")
    has_classes = report.get("problem", _ONE_CLASS[0]) in _ONE_CLASS
    return RunFiles(
        report=report,
        plan=_json(folder / "plan.json"),
        config=_json(folder / "config.json"),
        environment=_json(folder / "environment.json"),
        history=_lines(folder / "history.jsonl"),
        card=_json(card) if card.is_file() else {},
        predictions=(
            list(read_rows(predictions))
            if has_classes and predictions.is_file()
            else None
        ),
        answers=() if has_classes else _lines(predictions),
        gallery=_gallery(gallery) if gallery.is_file() else None,
    )


def _report(path: Path) -> dict[str, Any]:
    report = _json(path)
    if not isinstance(report, dict):
        raise _unreadable(path, ValueError("it holds no object"))
    return report


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _lines(path: Path) -> list[Any]:
    """A value for each line; none if nothing was trained and the file is missing."""
    if not path.is_file():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _gallery(path: Path) -> Gallery:
    try:
        return gallery_of(_json(path), path.parent)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{path} cannot be read: {error}. The page is made of the files of the run;"
        " put this one back, or train again with config.overwrite."
    )
