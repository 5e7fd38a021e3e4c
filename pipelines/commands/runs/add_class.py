"""`zoo add-class`: one more class in a finished run, one less, or two that become one.

The head is fitted in closed form to the features that the run kept.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.errors import ConfigError
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "add a class to a finished run, remove one, or merge some; trains nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--name", metavar="NAME", help="of the new or merged class")
    parser.add_argument(
        "--data",
        metavar="REF",
        help="examples of the new class, such as dir:wolf; with --remove and --merge,"
        " examples to prove the export with, by default those of the run",
    )
    parser.add_argument("--remove", metavar="NAME", help="remove this class")
    parser.add_argument(
        "--merge",
        metavar="NAME,NAME",
        help="make one class of these, called --name; a name with a comma is quoted, as"
        " in CSV",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Changes the classes, and answers with the new version."""
    _require_one_change(arguments)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.classes import update

    if arguments.remove:
        changed = update.remove_class(
            arguments.run, name=arguments.remove, data=arguments.data
        )
    elif arguments.merge:
        changed = update.merge_classes(
            arguments.run,
            names=_names(arguments.merge),
            name=arguments.name or "",
            data=arguments.data,
        )
    else:
        changed = update.add_class(
            arguments.run, name=arguments.name, data=arguments.data
        )
    values = {
        "path": str(changed.artifact_dir),
        "class_names": list(changed.class_names),
        "accuracy_before": changed.before,
        "accuracy": changed.after,
        "seconds": dict(changed.seconds),
    }
    examples = changed.report["test"]["examples"]
    text = (
        f"{len(changed.class_names)} classes: {', '.join(changed.class_names)}\n"
        f"test accuracy {changed.after:.4f} on {examples} examples"
        f" ({changed.before:.4f} before, on the classes of then)\n"
        f"published: {changed.artifact_dir}"
    )
    return Answer(values, text)


def _names(merged: str) -> list[str]:
    """The names in the flag, which may have quotes around them."""
    (names,) = csv.reader([merged.replace("\n", " ")], skipinitialspace=True)
    return names


def _require_one_change(arguments: argparse.Namespace) -> None:
    """Raises `ConfigError` unless the flags ask for exactly one change."""
    if arguments.remove and (arguments.merge or arguments.name):
        raise ConfigError("--remove goes with neither --merge nor --name. Keep one.")
    if arguments.remove or arguments.merge:
        return
    if not (arguments.name and arguments.data):
        raise ConfigError(
            "A new class needs --name and --data, as in: zoo add-class RUN --name wolf"
            " --data dir:wolf. Or use --remove NAME, or --merge NAME,NAME."
        )
