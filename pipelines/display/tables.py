"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.display.text import shown


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Rows of cells as lines with columns of equal width, numbers to the right."""
    texts = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    lines = []
    for row, printed in zip(rows, texts):
        cells = (
            text.rjust(width)
            if isinstance(cell, (int, float)) or is_number(text)
            else text.ljust(width)
            for cell, text, width in zip(row, printed, widths)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def accuracy_of(report: Mapping[str, Any]) -> str:
    """The accuracy of a split, as a report has it, in words."""
    return (
        f"{report['accuracy']:.4f} on {report['examples']} examples"
        f" ({report['balanced_accuracy']:.4f} balanced)"
    )


def computed(compute: Mapping[str, Any]) -> str:
    """The number format of training, and its reason."""
    xla = " with XLA" if compute["xla"] else ""
    return f"{compute['precision']}{xla} ({compute['reason']})"


def is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1).replace(",", "")
    return digits.isdigit()
