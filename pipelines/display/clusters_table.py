"""Clusters in words: their sizes, and the numbers of clusters that were compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.tables import aligned


def clusters_table(values: Mapping[str, Any]) -> str:
    """The sizes, the candidates as a table, and the files."""
    sizes = ", ".join(map(str, values["sizes"]))
    lines = [
        f"{values['k']} clusters of {values['examples']} examples, by"
        f" {values['backbone']}: {sizes}"
    ]
    if values["skipped"]:
        lines.append(f"left out, because they cannot be used: {values['skipped']}")
    if values["agreement"] is not None:
        lines.append(
            f"agreement with the labels: {values['agreement']:.2f}"
            " (normalized mutual information)"
        )
    parts = ["\n".join(lines)]
    if values["candidates"]:
        header = ("clusters", "stability", "shuffled", "worth", "silhouette")
        rows = [
            (
                f"{each['k']}{' *' if each['k'] == values['k'] else ''}",
                *(f"{each[name]:.2f}" for name in ("stability", "by_chance")),
                *(f"{each[name]:.2f}" for name in ("worth", "silhouette")),
            )
            for each in values["candidates"]
        ]
        parts.append(aligned([header, *rows]))
    parts.append("\n".join(f"written: {path}" for path in values["files"]))
    return "\n\n".join(filter(None, parts))
