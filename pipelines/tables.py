"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FINDINGS = ("severity", "times", "what", "where")
_SHOWN = 3


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Rows of cells as lines with columns of equal width, numbers to the right."""
    columns = list(zip(*rows))
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    lines = []
    for row in rows:
        cells = (
            str(cell).rjust(width)
            if isinstance(cell, (int, float)) or _is_number(str(cell))
            else str(cell).ljust(width)
            for cell, width in zip(row, widths)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def result_table(report: Mapping[str, Any]) -> str:
    """What a run reached, what it cost, and where everything is."""
    seconds = ", ".join(
        f"{stage} {value:.1f}" for stage, value in report["seconds"].items()
    )
    skipped = [f"{name} skipped, no time left" for name in report["phases_skipped"]]
    phases = "; ".join([*map(_phase, report["phases"]), *skipped])
    rows = [
        ("test accuracy", _accuracy(report["test"])),
        ("validation accuracy", _accuracy(report["validation"])),
        ("phases", phases),
        ("plan", report["plan"]["reason"]),
        ("parity", f"largest difference {report['parity']['largest_difference']:.1e}"),
        ("seconds", seconds),
        ("images per second", f"{report['images_per_second']:.0f} in the last phase"),
        ("peak memory", f"{report['peak_memory_bytes'] / 1e9:.2f} GB"),
        ("artifact", report["artifact"]),
    ]
    return "\n" + aligned(rows)


def survey_table(survey: Mapping[str, Any]) -> str:
    """What was found in a data set, worst first, with the first names of each."""
    counts = survey["counts"].items()
    head = f"{survey['examples']} examples in {len(survey['counts'])} classes"
    classes = ", ".join(f"{name} {count}" for name, count in counts)
    if not survey["findings"]:
        return f"{head}: {classes}\nnothing was found"
    rows = [
        (found["severity"], len(found["about"]), found["what"], _first(found["about"]))
        for found in survey["findings"]
    ]
    return f"{head}: {classes}\n\n{aligned([_FINDINGS, *rows])}"


def _first(names: Sequence[str]) -> str:
    shown = "; ".join(names[:_SHOWN])
    return f"{shown}; and {len(names) - _SHOWN} more" if names[_SHOWN:] else shown


def evaluation_table(report: Mapping[str, Any]) -> str:
    """Accuracy over all, and precision, recall and F1 per class."""
    header = ("class", "precision", "recall", "f1", "examples")
    rows = [
        (name, *(f"{values[key]:.3f}" for key in header[1:4]), values["examples"])
        for name, values in report["per_class"].items()
    ]
    return f"accuracy {_accuracy(report)}\n\n{aligned([header, *rows])}"


def _accuracy(report: Mapping[str, Any]) -> str:
    return (
        f"{report['accuracy']:.4f} on {report['examples']} examples"
        f" ({report['balanced_accuracy']:.4f} balanced)"
    )


def _phase(phase: Mapping[str, Any]) -> str:
    """What a phase did to validation accuracy, and whether it was kept."""
    before = f"{phase['name']} {phase['accuracy_before']:.4f}"
    if not phase["kept"]:
        return f"{before}, no gain, undone"
    return f"{before} to {phase['accuracy_after']:.4f}"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace(",", "").isdigit()
