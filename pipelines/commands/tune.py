"""`zoo tune`: searches among a few choices, and prints what the trials reached.

Imports TensorFlow only when there is something to train.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import config as configs
from pipelines.commands.console import Parser, print_json, say_progress
from pipelines.commands.exit_codes import exit_code_of
from pipelines.commands.tables import aligned
from pipelines.config.flags import parse
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "try several ways to train, and write the best as a config file"
_TRIALS = 20


def main(arguments: Sequence[str]) -> int:
    """Carries out the command and gives its exit code."""
    return exit_code_of(lambda: _tune(arguments), debug="--debug" in arguments)


def _tune(arguments: Sequence[str]) -> None:
    parser = Parser(
        prog="zoo tune",
        description=f"{SUMMARY[0].upper()}{SUMMARY[1:]}. All other flags are those of"
        " `zoo train`: --config=FILE and --config.FIELD=VALUE. What the config sets to"
        " anything but its default is not searched.",
        allow_abbrev=False,
    )
    parser.add_argument("--trials", type=int, default=_TRIALS, metavar="N")
    parser.add_argument(
        "--time-budget-seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="0: no limit",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    flags, rest = parser.parse_known_args(arguments)
    config = configs.checked(parse(rest))
    start_tensorflow()
    say_progress(sys.stderr if flags.json else sys.stdout)
    from pipelines.search import search, to_plain

    # Keras prints epochs; what belongs to stdout is the result.
    with contextlib.redirect_stdout(sys.stderr if flags.json else sys.stdout):
        values = to_plain(
            search(
                config,
                trials=flags.trials,
                time_budget_seconds=flags.time_budget_seconds,
            )
        )
    if flags.json:
        print_json(values)
        return
    print(_table(values))


def _table(found: Mapping[str, Any]) -> str:
    """The trials, best first, which one was chosen, and what that is worth."""
    names = list(dict.fromkeys(n for one in found["trials"] for n in one["choices"]))
    order = sorted(
        found["trials"],
        key=lambda one: (one["accuracy"] is None, -(one["accuracy"] or 0.0)),
    )
    rows = [
        (
            one["number"],
            *(_choice(one["choices"].get(name)) for name in names),
            "-" if one["accuracy"] is None else f"{one['accuracy']:.4f}",
            "-" if one["seconds"] is None else f"{one['seconds']:.1f}",
            "chosen" if one["number"] == found["chosen"] else one["reason"],
        )
        for one in order
    ]
    header = ("trial", *names, "validation", "seconds", "")
    parts = [
        aligned([header, *rows]),
        found["reason"],
        f"Warning: {found['warning']}",
        f"train with it: zoo train --config={found['config_path']}"
        " --config.workdir=FOLDER",
    ]
    return "\n" + "\n\n".join(parts)


def _choice(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
