"""`zoo demo`: makes a folder of real labelled data, for a first run."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from pipelines.commands.console import Answer

SUMMARY = "make a folder of real labelled photos, texts or series, to try things on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    from pipelines.data.demo.make import KINDS

    parser.add_argument(
        "kind",
        choices=KINDS,
        help="; ".join(f"{name}: {kind.summary}" for name, kind in KINDS.items()),
    )
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder that is new or empty",
    )
    limits = ", ".join(f"{kind.default_limit} {name}" for name, kind in KINDS.items())
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help=f"at most this many examples of a class, 3 or more (default: {limits})",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Writes the files, and answers with their origin and the next command."""
    from pipelines.data.demo.make import KINDS, make

    demo = make(arguments.kind, arguments.to, limit=arguments.limit)
    classes = ", ".join(f"{name} {count}" for name, count in demo.counts.items())
    lines = [
        f"{demo.examples} examples in {demo.data}: {classes}",
        f"  {KINDS[demo.kind].summary}",
        f"  origin: {demo.origin}",
        f"  licence: {demo.licence}",
        "next:",
        *(f"  {command}" for command in demo.next),
    ]
    values = {**dataclasses.asdict(demo), "examples": demo.examples}
    return Answer(values, "\n".join(lines))
