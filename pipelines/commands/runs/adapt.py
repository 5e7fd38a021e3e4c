"""`zoo adapt`: the head of a finished run for another domain, without its images."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from pipelines.commands.console import Answer, say_progress
from pipelines.display.optional_rows import adaptation_rows
from pipelines.planning.adaptation.methods import AUTO, SOURCE_FREE
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "adapt the head of a finished run to unlabelled examples of another domain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "--target",
        required=True,
        metavar="REF",
        help="examples of the other domain, such as dir:phone; labels are not used",
    )
    parser.add_argument(
        "--method",
        default=AUTO,
        metavar="METHOD",
        help=f"{', '.join(SOURCE_FREE)}; auto, the default, measures how far the target"
        " is, says what could help, and publishes nothing",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Measures the target, and answers with the new version, if there is one."""
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.classes.adapt import adapt_run

    done = adapt_run(arguments.run, target=arguments.target, method=arguments.method)
    record = dataclasses.asdict(done.record)
    values: dict[str, Any] = {"adaptation": record, "path": None}
    ((title, words),) = adaptation_rows(record)
    lines = [f"{title}: {words}", done.words]
    if done.change is None:
        lines.append(
            f"published: nothing; name a method, --method {' or '.join(SOURCE_FREE)}"
        )
    else:
        change = done.change
        values |= {
            "path": str(change.artifact_dir),
            "accuracy_before": change.before,
            "accuracy": change.after,
            "seconds": dict(change.seconds),
        }
        lines += [
            f"source test accuracy {change.after:.4f} ({change.before:.4f} before)",
            f"published: {change.artifact_dir}",
        ]
    return Answer(values, "\n".join(lines))
