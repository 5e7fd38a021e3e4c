"""The target domain of a run: how far it was, and what the adaptation changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.html import Table
from pipelines.report.run_files import RunFiles

_ROWS = (
    ("proxy A-distance, 0 alike to 2 apart", "distance"),
    ("source validation accuracy, by the head for the target", "validation_accuracy"),
    ("mean confidence on source validation", "source_confidence"),
    ("mean confidence on the target", "target_confidence"),
)


def adaptation(run: RunFiles) -> dict[str, Any] | None:
    """A sentence, the table of before and after, and tables of shares and candidates.

    None where the run has no target.
    """
    record = run.report.get("adaptation")
    if not record:
        return None
    before, after = record["before"], record["after"] or {}
    sentence = (
        f"Target {record['target']}, {record['examples']} examples: config.adapt.method"
        f" is {record['asked']}, and the head is"
        f" {_method(record['method'])}. Validation and test are of the source."
    )
    rows = [(title, before[key], after.get(key)) for title, key in _ROWS]
    return {
        "sentence": sentence,
        "measured": Table("Before and after", ("", "before", "after"), rows),
        "shares": _shares(run.report["class_names"], before, after),
        "candidates": _candidates(record["candidates"]),
    }


def _method(name: str) -> str:
    return "the one of the source" if name == "none" else f"adapted by {name}"


def _shares(
    names: list[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Table:
    columns = ("class", "source validation", "target before", "target after")
    changed = after.get("target_shares") or [None] * len(names)
    rows = zip(names, before["source_shares"], before["target_shares"], changed)
    return Table("Shares of predicted classes", columns, [tuple(row) for row in rows])


def _candidates(candidates: list[Mapping[str, Any]]) -> Table | None:
    if not candidates:
        return None
    keys = ("name", "accuracy", "gain", "standard_error")
    return Table(
        "Judged by labelled target examples, out of fold",
        ("head", "accuracy", "gain", "standard error"),
        [tuple(row[key] for key in keys) for row in candidates],
    )
