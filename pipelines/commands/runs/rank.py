"""`zoo rank`: compares backbones on data, and trains nothing."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from pipelines.commands.console import Answer, say_progress
from pipelines.config import RunConfig
from pipelines.config.schema import CHOICES
from pipelines.display.ranking_table import ranking_table
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "backbones, by what they are worth on the data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--backbones",
        default="*",
        metavar="GLOB",
        help="backbones to compare, such as 'efficientnet*'; default: all with weights"
        " on this machine",
    )
    parser.add_argument(
        "--problem",
        choices=CHOICES["problem"],
        default=RunConfig().problem,
        help="kind of labels, as config.problem",
    )
    parser.add_argument("--seed", type=int, default=RunConfig().seed)


def run(arguments: argparse.Namespace) -> Answer:
    """Measures the backbones, and answers with them, best first."""
    from pipelines.data.reference import DatasetRef
    from pipelines.planning.backbones.candidates import require_match

    DatasetRef.parse(arguments.data)
    require_match(arguments.backbones)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.ranking import rank

    ranking = rank(
        arguments.data,
        backbones=arguments.backbones,
        seed=arguments.seed,
        problem=arguments.problem,
    )
    values = dataclasses.asdict(ranking)
    return Answer(values, ranking_table(values))
