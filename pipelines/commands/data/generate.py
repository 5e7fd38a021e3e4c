"""`zoo generate`: a network that draws small images of each class."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.display.generator_table import generator_table
from pipelines.methods.generator.settings import GeneratorSettings
from pipelines.runtime.startup import start_tensorflow

_USUAL = GeneratorSettings()
SUMMARY = "learn to draw small images of each class, and draw some"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--to", required=True, metavar="DIR", help="a folder that is new or empty"
    )
    parser.add_argument(
        "--count", type=int, default=100, metavar="N", help="images of each class"
    )
    parser.add_argument(
        "--size-px",
        type=int,
        default=28,
        metavar="PX",
        help="side of an image, a multiple of 4 from 8 to 64",
    )
    parser.add_argument("--steps", type=int, default=_USUAL.steps, metavar="N")
    parser.add_argument(
        "--batch-size", type=int, default=_USUAL.batch_size, metavar="N"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=_USUAL.learning_rate, metavar="RATE"
    )
    parser.add_argument("--seed", type=int, default=_USUAL.seed)


def run(arguments: argparse.Namespace) -> Answer:
    """Learns, draws, and answers with what lies in the folder."""
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.methods.generator.generate import generate, values_of

    settings = GeneratorSettings(
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )
    generated = generate(
        arguments.data,
        Path(arguments.to),
        count=arguments.count,
        size_px=arguments.size_px,
        settings=settings,
    )
    values = values_of(generated)
    return Answer(values, generator_table(values))
