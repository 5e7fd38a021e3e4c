"""`zoo distil`: a smaller network that learns from the answers of a finished run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pipelines.commands.console import Answer, say_progress
from pipelines.config.sections.distil import DistilConfig
from pipelines.errors import ConfigError
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "train a smaller network on the answers of a finished run, and compare both"
_DEFAULT = DistilConfig()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run that teaches")
    parser.add_argument(
        "--backbone", required=True, metavar="NAME", help="backbone of the student"
    )
    parser.add_argument(
        "--workdir", required=True, metavar="FOLDER", help="folder of the result"
    )
    parser.add_argument(
        "--weights",
        default="default",
        metavar="WEIGHTS",
        help="default is the pretrained weights, none is random weights",
    )
    parser.add_argument(
        "--input-size-px",
        type=int,
        default=0,
        metavar="PX",
        help="side of the images of the student; default: as its backbone has it",
    )
    parser.add_argument(
        "--strategy", default="auto", metavar="NAME", help="as config.strategy"
    )
    parser.add_argument(
        "--unlabelled",
        default="",
        metavar="REF",
        help="more examples for the teacher to answer; labels in them are not used",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=_DEFAULT.temperature,
        metavar="T",
        help=f"of both networks in the loss; default {_DEFAULT.temperature:g}",
    )
    parser.add_argument(
        "--weight",
        type=float,
        default=_DEFAULT.weight,
        metavar="SHARE",
        help=f"share of the teacher in the loss; default {_DEFAULT.weight:g}",
    )
    parser.add_argument(
        "--data", metavar="REF", help="the data of the run, if they moved"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")


def run(arguments: argparse.Namespace) -> Answer:
    """Trains the student twice, and answers with the choice and the comparison."""
    if not (arguments.run / "report.json").is_file():
        raise ConfigError(
            f"{arguments.run} holds no finished run: it has no report.json. Name the"
            " config.workdir of a finished one."
        )
    start_tensorflow()
    say_progress(sys.stderr)
    import pipelines
    from pipelines.comparison.text import as_text

    done = pipelines.distil(
        arguments.run,
        data=arguments.data,
        backbone=arguments.backbone,
        workdir=arguments.workdir,
        unlabelled=arguments.unlabelled,
        temperature=arguments.temperature,
        weight=arguments.weight,
        **_student(arguments),
    )
    values = done.values()
    lines = [
        as_text(done.comparison),
        done.choice.reason,
        f"published: {done.artifact_dir}",
    ]
    return Answer(values, "\n\n".join(lines))


def _student(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("weights", "input_size_px", "strategy", "seed")
    return {name: getattr(arguments, name) for name in names}
