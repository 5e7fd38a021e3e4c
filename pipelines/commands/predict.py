"""`zoo predict ... --to`: what the user types, and what is printed."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from pipelines.commands.console import print_json, say_progress
from pipelines.data.sharding.beam import LOCAL
from pipelines.errors import ConfigError
from pipelines.runtime.clock import Clock
from pipelines.runtime.startup import start_tensorflow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags for more than a few files."""
    parser.add_argument(
        "--to",
        type=Path,
        metavar="OUT",
        help="predict all of one folder of images, or of one table"
        " 'csv:PATH?image=COLUMN' or 'csv:PATH?text=COLUMN', into OUT.jsonl or OUT.csv;"
        " started again, it goes on where it was",
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="not predictions but what the head reads, for other uses; with --to",
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


def refuse_without_output(arguments: argparse.Namespace) -> None:
    """Raises `ConfigError` for what needs `--to` and came without it."""
    if arguments.shards is not None or _has_runner(arguments):
        raise ConfigError("--shards, --runner and --option need --to DIR.")
    if arguments.features:
        raise ConfigError("--features needs --to FILE.jsonl.")
    for path in arguments.files:
        is_table = str(path).startswith(("csv:", "dir:")) and not path.exists()
        if is_table or path.is_dir():
            raise ConfigError(
                f"{path} has many examples: say with --to FILE.jsonl or --to FILE.csv"
                " where their predictions go."
            )


def predict(arguments: argparse.Namespace) -> None:
    """Carries out `zoo predict ARTIFACT SOURCE --to OUT`."""
    if len(arguments.files) != 1:
        raise ConfigError(
            f"--to takes one folder or one table, and {len(arguments.files)} came."
        )
    if arguments.shards is None and _has_runner(arguments):
        raise ConfigError("--runner and --option need --shards N.")
    say_progress(sys.stderr)
    from pipelines.batch.rows import FEATURES, PREDICTIONS

    (source,), progress = arguments.files, Clock().progress
    what = FEATURES if arguments.features else PREDICTIONS
    if arguments.shards is None:
        from pipelines.batch.local import predict_to_file

        written = predict_to_file(
            arguments.artifact,
            str(source),
            arguments.to,
            what=what,
            on_progress=progress,
        )
    else:
        start_tensorflow("tensorflow")
        from pipelines.batch.shards import predict_to_shards

        written = predict_to_shards(
            arguments.artifact,
            str(source),
            arguments.to,
            what=what,
            shards=arguments.shards,
            runner=arguments.runner,
            options=[f"--{option}" for option in arguments.option],
            on_progress=progress,
        )
    if arguments.json:
        print_json(dataclasses.asdict(written))
        return
    print(
        f"{written.path}: {written.examples} {what}, {written.new} of them new,"
        f" {written.invalid} not valid"
    )


def _has_runner(arguments: argparse.Namespace) -> bool:
    return arguments.runner != LOCAL or bool(arguments.option)
