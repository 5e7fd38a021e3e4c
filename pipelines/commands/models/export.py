"""`zoo export`: a new version of an artifact, also in other formats."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.commands.console import Answer, say_progress
from pipelines.display.tables import aligned
from pipelines.formats import targets
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "publish the artifact of a run as a new version, also in other formats"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="BASE", help="where versions lie"
    )
    parser.add_argument(
        "--format",
        default=targets.SAVED_MODEL,
        metavar="LIST",
        help=f"some of {', '.join(targets.NAMES)}; the SavedModel is always there",
    )
    parser.add_argument(
        "--max-accuracy-loss",
        type=float,
        default=0.01,
        metavar="FRACTION",
        help="accuracy that a format may lose on the test split; default 0.01",
    )
    parser.add_argument(
        "--data", metavar="REF", help="the data of the run, if they moved"
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Publishes a version, and answers with its path and formats.

    TensorFlow starts only for formats besides the SavedModel.
    """
    formats = targets.parse(arguments.format)
    targets.require_installed(formats)
    say_progress(sys.stderr)
    if formats:
        start_tensorflow()
    from pipelines.formats.publishing import export_run

    published = export_run(
        arguments.run,
        arguments.to,
        formats=arguments.format,
        max_accuracy_loss=arguments.max_accuracy_loss,
        data=arguments.data,
    )
    path, records = published.artifact.path, published.formats
    values = {
        "version": published.artifact.version,
        "path": str(path),
        "formats": list(records),
    }
    table = [_table(records)] if records else []
    return Answer(values, "\n".join([*table, f"published: {path}"]))


def _table(records: tuple[Mapping[str, Any], ...]) -> str:
    first = records[0]
    metric = first["metric"]
    words = metric.replace("_", " ")
    header = ("format", "MB", words, "loss", "agreement", "difference", "ms")
    rows = [
        (
            record["format"],
            f"{record['bytes'] / 1e6:.2f}",
            f"{record[metric]:.4f}",
            f"{record[f'{metric}_loss']:.4f}",
            f"{record['agreement']:.4f}",
            f"{record['largest_difference']:.1e}",
            f"{1000 * record['seconds_per_example']:.2f}",
        )
        for record in records
    ]
    note = (
        f"on {first['examples']} examples of the {first['split']} split; the SavedModel"
        f" has {words} {first[f'saved_model_{metric}']:.4f} and takes"
        f" {1000 * first['saved_model_seconds_per_example']:.2f} ms for an example"
    )
    return f"{aligned([header, *rows])}\n{note}"
