"""`zoo evaluate`: measures an artifact on labelled data."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.commands.console import Answer, say_progress
from pipelines.display.evaluation_table import evaluation_table, mistakes_table
from pipelines.errors import ConfigError
from pipelines.report.predictions import WorstMistakes, lines
from pipelines.runtime.startup import start_tensorflow
from zoo.storage import durable

SUMMARY = "how good an artifact is on labelled data"
_FORM = ".jsonl"
# Of the mistakes, on a terminal.
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--split",
        choices=("auto", "train", "validation", "test", "all"),
        default="auto",
        help="auto: the test split of the data it was trained on, all of other data",
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help=f"write the prediction of every example into FILE{_FORM}, a line each, as"
        " in the predictions.jsonl of a run",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Predicts every example once, and answers with accuracies and worst mistakes.

    Raises:
        ConfigError: if the file of predictions cannot be written, or is there already.
    """
    if arguments.to is not None:
        _require_new(arguments.to)
    start_tensorflow()
    say_progress(sys.stderr)
    import pipelines
    from pipelines.problems.registry import has_one_class
    from pipelines.stages.evaluate import evaluate_artifact

    worst = WorstMistakes(_SHOWN)

    predictor = pipelines.load(arguments.artifact)
    has_mistakes = has_one_class(predictor.artifact.manifest.problem)

    def write(rows: Iterator[Any]) -> None:
        watched = worst.watched(rows) if has_mistakes else rows
        if arguments.to is None:
            collections.deque(watched, maxlen=0)
            return
        try:
            durable.write_whole(arguments.to, lines(watched))
        except OSError as error:
            raise _unwritable(arguments.to, error) from error

    report = evaluate_artifact(
        predictor, arguments.data, split=arguments.split, consume=write
    )
    mistakes = [dataclasses.asdict(row) for row in worst.rows]
    values = {**dataclasses.asdict(report), "worst_mistakes": mistakes}
    parts = [f"split: {report.split}\n{evaluation_table(values)}"]
    if mistakes:
        parts.append(mistakes_table(mistakes))
    if arguments.to is not None:
        values["predictions"] = str(arguments.to)
        parts.append(f"predictions: {arguments.to}")
    return Answer(values, "\n\n".join(parts))


def _require_new(path: Path) -> None:
    """Makes the folder of a new file, before anything is read."""
    if path.suffix != _FORM:
        raise ConfigError(f"--to {path} must end in {_FORM}: a JSON object a line.")
    if path.exists():
        raise ConfigError(
            f"{path} is there already. Nothing was touched; name another file with"
            " --to, or remove it."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path} cannot be written: {error.strerror or error}.")
