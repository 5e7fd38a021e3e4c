"""`zoo list`: the rows of the registry, as a table."""

from __future__ import annotations

import argparse

import zoo
from pipelines.commands.backbones.info import row_values
from pipelines.commands.console import Answer
from pipelines.display.tables import aligned

SUMMARY = "the backbones, as a table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("glob", nargs="?", default="*", metavar="GLOB")
    specs = [zoo.get_spec(name) for name in zoo.list_backbones()]
    for field in ("modality", "source"):
        known = sorted({getattr(spec, field) for spec in specs})
        parser.add_argument(f"--{field}", choices=known)
    parser.add_argument("--pretrained", action="store_true", default=None)
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out what matches; may be given several times",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Answers with the backbones that the arguments leave."""
    names = zoo.list_backbones(
        arguments.glob,
        exclude=tuple(arguments.exclude),
        modality=arguments.modality,
        source=arguments.source,
        pretrained=arguments.pretrained,
    )
    specs = [zoo.get_spec(name) for name in names]
    header = ("name", "source", "input", "width", "parameters", "blocks", "top-1")
    rows = [
        (
            spec.name,
            spec.source,
            str(spec.input),
            spec.feature_width,
            "-" if spec.parameters is None else f"{spec.parameters:,}",
            len(spec.blocks),
            "-" if spec.imagenet_top1 is None else f"{spec.imagenet_top1:.3f}",
        )
        for spec in specs
    ]
    values = {"backbones": [row_values(spec) for spec in specs]}
    return Answer(values, aligned([header, *rows]))
