"""`zoo publish`: makes the trained backbone of a run a backbone of this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.commands.backbones.info import row_values
from pipelines.commands.console import Answer
from pipelines.runtime.startup import start_tensorflow
from zoo import published

SUMMARY = "make the trained backbone of a run one of your backbones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--name", required=True, metavar="NAME")


def run(arguments: argparse.Namespace) -> Answer:
    """Publishes the backbone, and answers with its row."""
    start_tensorflow()
    import pipelines

    spec = pipelines.publish(arguments.run, name=arguments.name)
    module = published.module_folder(spec.name)
    text = (
        f"{spec.name}: {spec.modality}, {len(spec.blocks)} blocks,"
        f" {spec.parameters:,} parameters, width {spec.feature_width}\n"
        f"to train from it:     zoo train --config.backbone={spec.name} ...\n"
        f"reusable SavedModel:  {module}"
    )
    return Answer({**row_values(spec), "module": str(module)}, text)
