"""`zoo drift`: are these examples like the ones that an artifact was trained on?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.display.tables import aligned
from pipelines.display.text import shown
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "compare new examples with what an artifact was trained on"
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT", help="or a run")
    parser.add_argument(
        "--data",
        required=True,
        metavar="REF",
        help="examples without labels, as for zoo suggest",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Compares, and answers with measures and shares of classes."""
    say_progress(sys.stderr)
    start_tensorflow()
    from pipelines.drift.drift import drift

    result = drift(arguments.artifact, arguments.data)
    rows = [
        (
            row.measure,
            f"{row.index:.3f}",
            f"{row.p:.3g}",
            f"{row.p_holm:.3g}",
            "yes" if row.drifted else "no",
        )
        for row in result.measures
    ]
    measures = aligned([("measure", "index", "p", "Holm", "drifted"), *rows])
    names = sorted(
        result.trained_shares,
        key=lambda name: (
            -abs(result.estimated_shares[name] - result.trained_shares[name])
        ),
    )[:_SHOWN]
    shares = aligned(
        [
            ("class", "trained", "answers", "estimate"),
            *(
                (
                    shown(name),
                    f"{result.trained_shares[name]:.3f}",
                    f"{result.answered_shares[name]:.3f}",
                    f"{result.estimated_shares[name]:.3f}",
                )
                for name in names
            ),
        ]
    )
    verdict = (
        f"drifted: {', '.join(row.measure for row in result.measures if row.drifted)}"
        if result.drifted
        else "no drift that is more than chance"
    )
    unread = f", {result.invalid} cannot be read" if result.invalid else ""
    text = f"{measures}\n\n{shares}\n\n{result.examples} examples{unread}; {verdict}"
    return Answer(result.values(), text)
