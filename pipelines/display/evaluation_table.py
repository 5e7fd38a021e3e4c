"""The tables of an evaluation, and of its worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.display.tables import accuracy_of, aligned
from pipelines.display.text import shown

# More classes would fill a terminal several times.
_SHOWN_CLASSES = 100
_WORST_CLASSES = 30
# Of the name of an example or a class: its end, which differs most.
_WIDEST = 60


def evaluation_table(report: Mapping[str, Any]) -> str:
    """Accuracy over all, and precision, recall and F1 per class.

    Of many classes only the ones with examples and the lowest F1. Without classes all
    numbers, and those of each label or target.
    """
    if "per_class" not in report:
        return _measures(report)
    header = ("class", "precision", "recall", "f1", "examples")
    classes, note = list(report["per_class"].items()), ""
    if len(classes) > _SHOWN_CLASSES:
        seen = [item for item in classes if item[1]["examples"]]
        worst = sorted(seen, key=lambda item: item[1]["f1"])[:_WORST_CLASSES]
        note = (
            f"\nthe {len(worst)} classes with the lowest f1, of {len(classes)};"
            " --json has all"
        )
        classes = worst
    rows = [
        (name, *(f"{values[key]:.3f}" for key in header[1:4]), values["examples"])
        for name, values in classes
    ]
    error = f"expected calibration error {report['calibration_error']:.4f}"
    return (
        f"accuracy {accuracy_of(report)}\n{error}\n{note}\n{aligned([header, *rows])}"
    )


def _measures(report: Mapping[str, Any]) -> str:
    """The numbers of a report, and a row for each label or target."""
    numbers = [
        (name.replace("_", " "), f"{value:.4g}")
        for name, value in report.items()
        if isinstance(value, (int, float)) and name != "examples"
    ]
    (per,) = (value for name, value in report.items() if name.startswith("per_"))
    columns = list(next(iter(per.values())))
    rows = [
        (name, *("-" if row[key] is None else f"{row[key]:.4g}" for key in columns))
        for name, row in per.items()
    ]
    header = ("", *(key.replace("_", " ") for key in columns))
    return "\n\n".join(
        [f"{report['examples']} examples", aligned(numbers), aligned([header, *rows])]
    )


def mistakes_table(mistakes: Sequence[Mapping[str, Any]]) -> str:
    """The worst mistakes of an evaluation, one a line."""
    header = ("worst mistakes", "label", "predicted", "confidence", "accepted")
    rows = [
        (
            _cut(row["example"]),
            _cut(row["label"]),
            _cut(row["predicted"]) or "(not valid)",
            f"{row['confidence']:.4f}",
            "yes" if row["accepted"] else "no",
        )
        for row in mistakes
    ]
    return aligned([header, *rows])


def _cut(name: str) -> str:
    """A name of a length that leaves room on the line for others."""
    text = shown(name)
    return text if len(text) <= _WIDEST else f"...{text[3 - _WIDEST :]}"
