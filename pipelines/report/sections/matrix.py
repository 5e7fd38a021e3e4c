"""The confusion matrices as plain values for the script of the page, and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipelines.display.text import shortened, shown
from pipelines.report.confusion_page import as_pairs, confusion
from pipelines.report.run_files import RunFiles

SPLITS = ("test", "validation")
# A larger picture has cells that nobody can point at.
_MOST_CLASSES = 200
# Bounds of the examples that a cell lists, for a page of some megabytes.
_PER_CELL, _MOST_LISTED = 12, 4000
_NAME_CHARACTERS = 120


def matrices(run: RunFiles) -> dict[str, Any]:
    """`splits` for the script, `tables` for those who read, and `left_out` classes.

    A split has the names of its classes, its cells `(truth, answer, count)`, and the
    examples of cells: names, confidence, if it was accepted, and keys of figures.
    """
    report = run.report
    names = report["class_names"]
    pairs = {split: _pairs(report[split]) for split in SPLITS}
    kept = _with_most_errors(pairs["test"], len(names))
    return {
        "splits": [
            _matrix(split, pairs[split].tolist(), names, kept, run) for split in SPLITS
        ],
        "tables": [(split, _table(split, report)) for split in SPLITS],
        "classes": len(kept),
        "left_out": len(names) - len(kept),
        "has_predictions": run.predictions is not None,
    }


def _pairs(split: Mapping[str, Any]) -> Any:
    # Reports of runs before there were two forms do not name theirs.
    return as_pairs(split["confusion"], split.get("confusion_form", "matrix"))


def _table(split: str, report: Mapping[str, Any]) -> Markup:
    values = report[split]
    form = values.get("confusion_form", "matrix")
    return confusion(split, values["confusion"], report["class_names"], form=form)


def _with_most_errors(pairs: Any, classes: int) -> list[int]:
    """The classes in order; of many those with the most errors as truth or answer."""
    if classes <= _MOST_CLASSES:
        return list(range(classes))
    errors: Counter[int] = Counter()
    for truth, answer, count in pairs.tolist():
        if truth != answer:
            errors[truth] += count
            errors[answer] += count
    by_errors = sorted(range(classes), key=lambda k: (-errors[k], k))
    return sorted(by_errors[:_MOST_CLASSES])


def _matrix(
    split: str,
    pairs: Sequence[tuple[int, int, int]],
    names: Sequence[str],
    kept: list[int],
    run: RunFiles,
) -> dict[str, Any]:
    place = {label: at for at, label in enumerate(kept)}
    cells = [(place[i], place[j], n) for i, j, n in pairs if i in place and j in place]
    at = {names[label]: position for label, position in place.items()}
    totals = Counter[int]()
    for truth, _, count in pairs:
        if truth in place:
            totals[place[truth]] += count
    return {
        "split": split,
        "names": [shown(names[label]) for label in kept],
        "totals": [totals[position] for position in range(len(kept))],
        "cells": cells,
        "listed": _listed(run, split, at),
        "figures": _figures(run, split, at),
    }


def _listed(
    run: RunFiles, split: str, at: Mapping[str, int]
) -> dict[str, list[tuple[str, float, bool]]]:
    """The most confident examples without a figure, mistakes before right answers."""
    shown_examples = run.gallery.examples if run.gallery else ()
    with_figure = {x.row for x in shown_examples if x.split == split}
    listed: dict[str, list[tuple[str, float, bool]]] = {}
    left = _MOST_LISTED
    for place, row in sorted(
        enumerate(run.predictions_of.get(split, ())),
        key=lambda item: (item[1].is_right, -item[1].confidence),
    ):
        if place in with_figure:
            continue
        if row.label not in at or row.predicted not in at or not left:
            continue
        cell = listed.setdefault(f"{at[row.label]},{at[row.predicted]}", [])
        if len(cell) < _PER_CELL:
            name = shortened(shown(row.example), _NAME_CHARACTERS)
            cell.append((name, round(row.confidence, 4), row.accepted))
            left -= 1
    return listed


def _figures(run: RunFiles, split: str, at: Mapping[str, int]) -> dict[str, list[str]]:
    """The keys of the figures that show an example of a cell."""
    keys: dict[str, list[str]] = {}
    for example in run.gallery.examples if run.gallery else ():
        truth, answer = at.get(example.label), at.get(example.predicted or "")
        if example.split == split and truth is not None and answer is not None:
            keys.setdefault(f"{truth},{answer}", []).append(example.key)
    return keys
