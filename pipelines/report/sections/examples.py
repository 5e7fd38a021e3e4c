"""Examples to look at: worst mistakes, confused pairs, typical ones, and samples."""

from __future__ import annotations

import base64
from typing import Any

from pipelines.display.text import shortened, shown
from pipelines.report.gallery_files import Example
from pipelines.report.plots.sparkline import sparkline
from pipelines.report.predictions import PredictionRow
from pipelines.report.run_files import RunFiles

_NAME_CHARACTERS = 40
# Mistakes that show at once; the others unfold.
_SHOWN = 16


def examples(run: RunFiles) -> dict[str, Any] | None:
    """The figures of mistakes, of pairs and of typical examples by class.

    None if the run has no gallery. An example that is a mistake and one of a pair
    stands with the mistakes only. `has_heat` is true if a figure has a heat picture.
    """
    gallery = run.gallery
    if gallery is None:
        return None
    mistakes = gallery.having("mistake")
    others = [x for x in gallery.having("pair") if "mistake" not in x.roles]
    return {
        "mistakes": figures(run, mistakes[:_SHOWN]),
        "more_mistakes": figures(run, mistakes[_SHOWN:]),
        "pairs": figures(run, others),
        "typical": by_class(run, "typical"),
        "has_heat": any(example.heat for example in gallery.examples),
        "lost": sum(example.lost for example in gallery.examples),
    }


def by_class(run: RunFiles, role: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """The figures of a role by class, in the order of the classes."""
    if run.gallery is None:
        return []
    groups: dict[str, list[Example]] = {}
    for example in run.gallery.having(role):
        groups.setdefault(example.label, []).append(example)
    return [
        (name, figures(run, groups[name]))
        for name in run.report["class_names"]
        if name in groups
    ]


def figures(run: RunFiles, examples: list[Example]) -> list[dict[str, Any]]:
    """The values of a figure for each example."""
    return [_figure(example, _row(example, run)) for example in examples]


def _row(example: Example, run: RunFiles) -> PredictionRow | None:
    """The kept prediction of an example, unless the file is of other ones."""
    rows = run.predictions_of.get(example.split, ())
    row = rows[example.row] if example.row < len(rows) else None
    return row if row and row.label == example.label else None


def _figure(example: Example, row: PredictionRow | None) -> dict[str, Any]:
    is_wrong = example.predicted not in (None, example.label)
    return {
        "key": example.key,
        **_named(row.example if row else example.name),
        "label": example.label,
        "predicted": example.predicted,
        "is_wrong": is_wrong,
        "confidence": example.confidence,
        "accepted": None if row is None else row.accepted,
        "picture": _base64(example.picture),
        "heat": _base64(example.heat),
        "text": example.text,
        "series": sparkline(example.key, example.series) if example.series else None,
        "is_series": example.series is not None,
        "lost": example.lost,
    }


def _named(path: str) -> dict[str, str]:
    """The whole name, and its last part: the folder of a class says the label again."""
    name = shown(path)
    last = name.rsplit("/", 1)[-1]
    return {"path": name, "name": shortened(last, _NAME_CHARACTERS)}


def _base64(content: bytes | None) -> str:
    return base64.b64encode(content).decode("ascii") if content else ""
