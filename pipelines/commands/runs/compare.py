"""`zoo compare`: finished runs side by side, on the test examples that they share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.errors import ConfigError

SUMMARY = "finished runs side by side, with paired tests on the same test examples"
_FORM = ".html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="the folder of a finished run; all are compared with the first",
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help=f"write a page, FILE{_FORM}, that needs no network; it is replaced",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Compares, and answers with tables, or with the values behind them.

    Raises:
        ConfigError: if the runs cannot be compared, or the page cannot be written.
    """
    to = arguments.to
    if to is not None and to.suffix != _FORM:
        raise ConfigError(f"--to {to} must end in {_FORM}; --json prints the values.")
    say_progress(sys.stderr)
    from pipelines.comparison.compare import compare
    from pipelines.comparison.text import as_page, as_text
    from zoo.storage import durable

    comparison = compare(arguments.runs)
    values, text = comparison.values(), as_text(comparison)
    if to is not None:
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            durable.write_whole(to, [as_page(comparison).encode("ascii")])
        except OSError as error:
            raise ConfigError(
                f"{to} cannot be written: {error.strerror or error}."
            ) from error
        values["page"] = str(to)
        text += f"\n\npage: {to}"
    return Answer(values, text)
