"""`zoo export`: a new version of an artifact, also in other formats."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands.console import Answer, say_progress
from pipelines.display.tables import aligned
from pipelines.errors import ConfigError
from pipelines.formats import targets
from pipelines.runtime.startup import start_tensorflow

if TYPE_CHECKING:
    from pipelines.gate.gate import Gate

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
    parser.add_argument(
        "--minimum",
        action="append",
        default=[],
        metavar="CONDITIONS",
        help="publish only if measures of report.json keep these bounds, as in"
        " 'test.balanced_accuracy>=0.9,test.loss<=0.3'; may be repeated",
    )
    parser.add_argument(
        "--not-worse-than",
        default="",
        metavar="RUN_OR_ARTIFACT",
        help="publish only if the accuracy on the same test examples is certainly"
        " (97.5 %%) not lower by --margin or more",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=0.02,
        metavar="FRACTION",
        help="accuracy that --not-worse-than lets a model lose; default 0.02",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Publishes a version, and answers with its path and formats.

    TensorFlow starts only for formats besides the SavedModel, and for the answers of
    an artifact that it is compared with.
    """
    formats = targets.parse(arguments.format)
    targets.require_installed(formats)
    gate = _gate(arguments)
    say_progress(sys.stderr)
    if formats or gate.reads_data:
        start_tensorflow()
    from pipelines.formats.publishing import export_run

    published = export_run(
        arguments.run,
        arguments.to,
        formats=arguments.format,
        max_accuracy_loss=arguments.max_accuracy_loss,
        data=arguments.data,
        gate=(lambda: _pass(gate, arguments)) if gate else None,
    )
    path, records = published.artifact.path, published.formats
    values = {
        "version": published.artifact.version,
        "path": str(path),
        "formats": list(records),
    }
    table = [_table(records)] if records else []
    return Answer(values, "\n".join([*table, f"published: {path}"]))


def _gate(arguments: argparse.Namespace) -> Gate:
    from pipelines.gate.gate import gate_of

    if not 0 <= arguments.margin <= 0.5:
        raise ConfigError(
            f"--margin is {arguments.margin:g}; it is a difference of accuracies, from"
            " 0 to 0.5."
        )
    conditions = ",".join(arguments.minimum)
    reference = arguments.not_worse_than
    return gate_of(conditions, reference, margin=arguments.margin, field="--minimum")


def _pass(gate: Gate, arguments: argparse.Namespace) -> None:
    """Raises `GateError` if the run does not pass the gate."""
    from pipelines.gate.gate import judge_finished

    verdict = judge_finished(gate, arguments.run, arguments.data)
    verdict.require_passed(f"Nothing was written to {arguments.to}.")


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
