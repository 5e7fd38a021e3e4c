"""The comparison of backbones behind a run with `backbone=auto`, in plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.tables import aligned


def choice_table(choice: Mapping[str, Any]) -> str:
    """The backbones that were compared, cheapest first, and the ones left out.

    Empty if there was nothing to compare, and nothing was left out.
    """
    parts = []
    if choice["compared"]:
        header = (
            "backbone",
            "px",
            f"left-out {choice['metric']}",
            "behind the best",
            "standard error",
            "multiply-adds",
            "examples/s",
            "",
        )
        rows = [_cells(row, choice) for row in choice["compared"]]
        parts.append(aligned([header, *rows]))
    parts += [f"{row['backbone']}: {row['reason']}" for row in choice["left_out"]]
    return "\n".join(parts)


def _cells(row: Mapping[str, Any], choice: Mapping[str, Any]) -> tuple[object, ...]:
    chosen = (choice["backbone"], choice["input_size_px"])
    size, adds = row["input_size_px"], row["multiply_adds"]
    return (
        row["backbone"],
        "-" if size is None else size,
        f"{row['accuracy']:.4f}",
        f"{row['behind']:.4f}",
        f"{row['standard_error']:.4f}",
        "-" if adds is None else f"{adds / 1e6:,.0f} M",
        f"{row['examples_per_second']:.0f}",
        "chosen" if (row["backbone"], size or 0) == chosen else "",
    )
