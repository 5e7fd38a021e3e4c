"""`zoo tune`: searches among a few choices, and prints the results of the trials.

Imports TensorFlow only when there is something to train.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from pipelines.commands.console import Answer, add_config_flags, say_progress
from pipelines.config import checked
from pipelines.config.flags import parse
from pipelines.display.tables import aligned
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "try several ways to train, and write the best as a config file"
_TRIALS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command, and the flags of the config."""
    add_config_flags(parser)
    parser.description = (
        f"{parser.description} A field that the config sets to anything but its default"
        " is not searched."
    )
    parser.add_argument("--trials", type=int, default=_TRIALS, metavar="N")
    parser.add_argument(
        "--time-budget-seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="0: no limit",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Searches, and answers with the trials and the choice."""
    config = checked(parse(arguments.config_flags))
    start_tensorflow()
    say_progress(sys.stdout)
    from pipelines.runs.search_result import to_plain
    from pipelines.search import search

    result = search(
        config,
        trials=arguments.trials,
        time_budget_seconds=arguments.time_budget_seconds,
    )
    values = to_plain(result)
    return Answer(values, _table(values))


def _table(search: Mapping[str, Any]) -> str:
    """The trials, best first, the choice and its reason."""
    trials = search["trials"]
    names = list(dict.fromkeys(name for trial in trials for name in trial["choices"]))
    order = sorted(
        trials,
        key=lambda trial: (trial["accuracy"] is None, -(trial["accuracy"] or 0.0)),
    )
    rows = [
        (
            trial["number"],
            *(_choice(trial["choices"].get(name)) for name in names),
            "-" if trial["accuracy"] is None else f"{trial['accuracy']:.4f}",
            "-" if trial["seconds"] is None else f"{trial['seconds']:.1f}",
            "chosen" if trial["number"] == search["chosen"] else trial["reason"],
        )
        for trial in order
    ]
    header = ("trial", *names, "validation", "seconds", "")
    parts = [
        aligned([header, *rows]),
        search["reason"],
        f"Warning: {search['warning']}",
        f"train with it: zoo train --config={search['config_path']}"
        " --config.workdir=FOLDER",
    ]
    return "\n" + "\n\n".join(parts)


def _choice(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
