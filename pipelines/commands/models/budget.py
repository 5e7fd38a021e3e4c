"""`zoo budget`: the most accurate format of finished runs that answers in time."""

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

SUMMARY = "formats of runs by accuracy and milliseconds, and the best within a budget"
_FORMATS = f"{targets.SAVED_MODEL},litert,onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="the folder of a finished run, such as those of several backbones",
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        required=True,
        metavar="MS",
        help="milliseconds that 95 of 100 single examples may take on this machine",
    )
    parser.add_argument(
        "--format",
        default=_FORMATS,
        metavar="LIST",
        help=f"some of {', '.join(targets.NAMES)}; the SavedModel is always measured",
    )
    parser.add_argument(
        "--data", metavar="REF", help="the data of the runs, if they moved"
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Measures, and answers with the formats and the best one within the budget."""
    targets.require_installed(targets.parse(arguments.format))
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.formats.budget import budget

    measured = budget(
        arguments.runs,
        latency_ms=arguments.latency_ms,
        formats=arguments.format,
        data=arguments.data,
    )
    values = measured.values()
    return Answer(values, budget_table(values))


def budget_table(values: Mapping[str, Any]) -> str:
    """The formats, fastest first, what could not be made, and the best."""
    rows = values["rows"]
    metric = rows[0]["metric"].replace("_", " ")
    header = ("run", "backbone", "format", "MB", metric, "ms", "p95 ms", "")
    cells = [
        (
            row["run"],
            row["backbone"],
            row["format"],
            f"{row['bytes'] / 1e6:.2f}",
            f"{row['quality']:.4f}",
            f"{row['milliseconds']:.2f}",
            f"{row['p95_milliseconds']:.2f}",
            "frontier" if row["is_best_so_far"] else "",
        )
        for row in rows
    ]
    lines = [aligned([header, *cells])]
    lines += [f"{run}, {name}: {why}" for run, name, why in values["left_out"]]
    best, allowed = values["best"], f"{values['latency_ms']:g} ms"
    if best is None:
        lines.append(
            f"Nothing answers 95 of 100 examples in {allowed}. Name runs of smaller"
            " backbones or images; zoo distil makes one that learns from a larger one."
        )
    else:
        lines.append(
            f"best within {allowed}: {best['format']} of {best['run']}, {metric}"
            f" {best['quality']:.4f} on validation, {best['p95_milliseconds']:.2f} ms"
        )
    return "\n".join(lines)
