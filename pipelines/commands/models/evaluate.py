"""`zoo evaluate`: measures an artifact on labelled data."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from pipelines.commands.console import Answer
from pipelines.display.tables import evaluation_table
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "how good an artifact is on labelled data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--split",
        choices=("auto", "train", "validation", "test", "all"),
        default="auto",
        help="auto: the test split of the data it was trained on, all of other data",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Predicts every example once, and answers with accuracies."""
    start_tensorflow()
    import pipelines
    from pipelines.stages.evaluate import evaluate_artifact

    predictor = pipelines.load(arguments.artifact)
    report = evaluate_artifact(predictor, arguments.data, split=arguments.split)
    values = dataclasses.asdict(report)
    return Answer(values, f"split: {report.split}\n{evaluation_table(values)}")
