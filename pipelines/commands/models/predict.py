"""`zoo predict`: a few files to the terminal, or a folder or table into a file."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.console import Answer, say_progress
from pipelines.data.sharding.beam import LOCAL
from pipelines.display.tables import aligned
from pipelines.errors import ConfigError, DataError
from pipelines.runtime.clock import Clock
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "what an artifact says of files: images, texts, series, sounds, rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="OUT",
        help="predict all of one folder of images, or of one table"
        " 'csv:PATH?image=COLUMN', 'csv:PATH?text=COLUMN', or 'csv:PATH' of numbers and"
        " categories, into OUT.jsonl or OUT.csv; started again, it resumes",
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="in place of predictions the features that the head reads; with --to",
    )
    parser.add_argument(
        "--shards", type=int, metavar="N", help="OUT is a folder of N files, with Beam"
    )
    parser.add_argument("--runner", default=LOCAL, help="of Beam, with --shards")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the runner; may be given several times",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Predicts, and answers with predictions, or with the file that holds them.

    Raises:
        ConfigError: if flags do not go together, or the source needs another one.
        DataError: if a file cannot be read.
    """
    return _predict_all(arguments) if arguments.to else _predict_files(arguments)


def _predict_files(arguments: argparse.Namespace) -> Answer:
    _refuse_without_output(arguments)
    contents = [_read(path) for path in arguments.files]
    start_tensorflow()
    import pipelines
    from pipelines.data.example_files import parse_example
    from pipelines.display.text import shown

    predictor = pipelines.load(arguments.artifact)
    predictions = predictor.predict(
        [
            parse_example(content, path, predictor.modality)
            for content, path in zip(contents, arguments.files)
        ]
    )
    unreadable = f"(not a readable {predictor.modality})"
    values, lines = [], []
    for path, prediction in zip(arguments.files, predictions):
        values.append({"file": str(path), **dataclasses.asdict(prediction)})
        answer, certainty = prediction.in_words()
        answer = answer if prediction.valid else unreadable
        last = _last_cell(prediction)
        lines.append((shown(str(path)), answer, certainty, last))
    header = ("file", *_columns(predictions[:1]))
    return Answer({"predictions": values}, aligned([header, *lines]))


def _columns(predictions: Sequence[Any]) -> tuple[str, str, str]:
    """The names of the answer, of its certainty, and of what `_last_cell` has."""
    if any(hasattr(prediction, "intervals") for prediction in predictions):
        return "value", "interval", "accepted"
    if any(hasattr(prediction, "p_value") for prediction in predictions):
        return "kind", "p_value", "score"
    return "label", "confidence", "accepted"


def _last_cell(prediction: Any) -> str:
    """Whether an answer is accepted; of an anomaly the score."""
    if hasattr(prediction, "anomaly_score"):
        return f"{prediction.anomaly_score:.3f}"
    return "yes" if prediction.accepted else "no"


def _predict_all(arguments: argparse.Namespace) -> Answer:
    if len(arguments.files) != 1:
        raise ConfigError(
            f"--to takes one folder or one table, and {len(arguments.files)} came."
        )
    if arguments.shards is None and _has_runner(arguments):
        raise ConfigError("--runner and --option need --shards N.")
    say_progress(sys.stderr)
    from pipelines.batch.rows import FEATURES, PREDICTIONS

    (source,), progress = arguments.files, Clock().progress
    content = FEATURES if arguments.features else PREDICTIONS
    if arguments.shards is None:
        from pipelines.batch.local import predict_to_file

        written = predict_to_file(
            arguments.artifact,
            str(source),
            arguments.to,
            kind=content,
            on_progress=progress,
        )
    else:
        start_tensorflow("tensorflow")
        from pipelines.batch.shards import predict_to_shards

        written = predict_to_shards(
            arguments.artifact,
            str(source),
            arguments.to,
            kind=content,
            shards=arguments.shards,
            runner=arguments.runner,
            options=[f"--{option}" for option in arguments.option],
            on_progress=progress,
        )
    text = (
        f"{written.path}: {written.examples} {content}, {written.new} of them new,"
        f" {written.invalid} not valid"
    )
    return Answer(dataclasses.asdict(written), text)


def _refuse_without_output(arguments: argparse.Namespace) -> None:
    """Raises `ConfigError` for flags and sources that need `--to`."""
    if arguments.shards is not None or _has_runner(arguments):
        raise ConfigError("--shards, --runner and --option need --to DIR.")
    if arguments.features:
        raise ConfigError("--features needs --to FILE.jsonl.")
    for path in arguments.files:
        is_table = (
            str(path).startswith(("csv:", "dir:", "parquet:")) and not path.exists()
        )
        if is_table or path.is_dir():
            raise ConfigError(
                f"{path} has many examples: say with --to FILE.jsonl or --to FILE.csv"
                " where their predictions go."
            )


def _has_runner(arguments: argparse.Namespace) -> bool:
    return arguments.runner != LOCAL or bool(arguments.option)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
