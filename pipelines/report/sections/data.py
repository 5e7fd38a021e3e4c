"""The data card in short, with samples of the training data by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.html import Cell, Table
from pipelines.report.run_files import RunFiles
from pipelines.report.sections.examples import by_class

_SHOWN = 20
_MOST = 1000


def data(run: RunFiles) -> dict[str, Any]:
    """The facts, the sizes of classes, the spread of sizes, and samples by class."""
    counts = run.report["data"]["counts"]
    rows: list[tuple[Cell, ...]] = [
        (name, *(sizes.get(name, 0) for sizes in counts.values()))
        for name in run.report["class_names"]
    ]
    header = ("class", *counts)
    return {
        "reference": run.report["data"]["reference"],
        "facts": Table("The data card in short", ("fact", "value"), _facts(run)),
        "sizes": _sizes(run.card),
        "classes": Table("Examples by class and split", header, rows[:_SHOWN]),
        "others": Table("Examples of the other classes", header, rows[_SHOWN:_MOST]),
        "samples": by_class(run, "sample"),
        "notes": list(run.card.get("notes", ())),
    }


def _facts(run: RunFiles) -> list[tuple[Cell, ...]]:
    card, data = run.card, run.report["data"]
    facts: list[tuple[Cell, ...]] = [
        (f"examples, {split}", sum(sizes.values()))
        for split, sizes in data["counts"].items()
    ]
    facts += [(f"left out: {reason}", n) for reason, n in data["skipped"].items()]
    if card:
        ratio = f"{card['largest_to_smallest_class']:g} to 1"
        facts += [
            ("modality", card["modality"]),
            ("largest to smallest class, in training", ratio),
            ("copies of other examples", card["copies"]["examples"]),
        ]
    return [*facts, ("fingerprint", data["fingerprint"])]


def _sizes(card: Mapping[str, Any]) -> Table | None:
    spread = card.get("sizes", {}).get("spread")
    if not spread:
        return None
    columns = list(next(iter(spread.values())))
    return Table(
        f"Sizes of {card['sizes']['examples']} examples",
        ("of", *columns),
        [
            (name, *(f"{x:g}" for x in values.values()))
            for name, values in spread.items()
        ],
    )
