"""The files of `zoo cluster`: a table, a page with pictures, and the facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.batch.rows import cells
from pipelines.data.images.thumbnails import as_text, thumbnail
from pipelines.data.splits import Texts
from pipelines.display.html import document
from pipelines.methods.clusters.cluster import Clusters
from pipelines.runtime.files import write_files

TABLE, PAGE, FACTS = "clusters.csv", "clusters.html", "clusters.json"
# Examples of a cluster on the page: those in its middle, and those at its edge.
_MIDDLE, _EDGE = 12, 4
_SIZE_PX, _QUALITY, _TEXT = 112, 70, 200


def write(clusters: Clusters, folder: Path) -> list[Path]:
    """Writes all files into a folder, which is made, and gives their paths.

    Raises:
        ConfigError: if the folder cannot be written.
    """
    contents = {
        TABLE: _table(clusters),
        PAGE: page(clusters),
        FACTS: json.dumps(clusters.values(), indent=2) + "\n",
    }
    return write_files(folder, contents)


def _table(clusters: Clusters) -> str:
    """A row for each example: its cluster, how far from its centre, and its label."""
    own = clusters.distances[np.arange(len(clusters.assigned)), clusters.assigned]
    header = ["name", "cluster", "distance"]
    labels = clusters.labels
    rows = [cells([*header, "label"] if labels else header)]
    for i, (name, number) in enumerate(zip(clusters.names, clusters.assigned.tolist())):
        row = [name, number + 1, f"{own[i]:.4f}"]
        rows.append(cells([*row, labels[i]] if labels else row))
    return "".join(rows)


def page(clusters: Clusters) -> str:
    """The page as HTML, in ASCII, with the middle and the edge of each cluster."""
    return document(
        "clusters.html",
        title=f"{len(clusters.sizes)} clusters of {len(clusters.assigned)} examples",
        backbone=clusters.backbone,
        agreement=clusters.agreement,
        candidates=clusters.candidates,
        clusters=[_entry(clusters, number) for number in range(len(clusters.sizes))],
    )


def _entry(clusters: Clusters, number: int) -> dict[str, Any]:
    rows = np.flatnonzero(clusters.assigned == number)
    rows = rows[np.argsort(clusters.distances[rows, number], kind="stable")]
    middle, edge = rows[:_MIDDLE], rows[_MIDDLE:][-_EDGE:]
    return {
        "number": number + 1,
        "size": len(rows),
        "middle": [_example(clusters, int(i)) for i in middle],
        "edge": [_example(clusters, int(i)) for i in edge],
    }


def _example(clusters: Clusters, i: int) -> dict[str, Any]:
    picture, text = None, None
    if isinstance(clusters.inputs, Texts):
        text = clusters.inputs.values[i].decode(errors="replace")[:_TEXT]
    small = thumbnail(clusters.inputs, i, size_px=_SIZE_PX)
    if small is not None:
        picture = as_text(small, quality=_QUALITY)
    return {"name": clusters.names[i], "picture": picture, "text": text}
