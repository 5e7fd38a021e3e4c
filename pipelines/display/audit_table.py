"""The table of the findings in a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.display.tables import aligned
from pipelines.display.text import shown

_NOUNS = {"multi_label": "labels", "regression": "targets", "ordinal": "grades"}
_FINDINGS = ("severity", "times", "what", "where")
_SHOWN = 3
# More classes would fill a terminal several times.
_SHOWN_CLASSES = 100


def audit_table(audit: Mapping[str, Any]) -> str:
    """The findings in a data set, worst first, with the first names of each."""
    noun = _NOUNS.get(audit.get("problem", ""), "classes")
    head = f"{audit['examples']} examples in {len(audit['counts'])} {noun}"
    classes = _counts(audit["counts"])
    if not audit["findings"]:
        return f"{head}: {classes}\nnothing was found"
    rows = [
        (row["severity"], len(row["about"]), row["what"], _first(row["about"]))
        for row in audit["findings"]
    ]
    return f"{head}: {classes}\n\n{aligned([_FINDINGS, *rows])}"


def _counts(counts: Mapping[str, int]) -> str:
    """The size of each class; of many classes the largest and smallest."""
    if len(counts) <= _SHOWN_CLASSES:
        return ", ".join(f"{shown(name)} {count}" for name, count in counts.items())
    by_size = sorted(counts.items(), key=lambda item: -item[1])
    ends = [
        ", ".join(f"{shown(name)} {count}" for name, count in some)
        for some in (by_size[:_SHOWN], by_size[-_SHOWN:])
    ]
    median = by_size[len(by_size) // 2][1]
    return f"the largest {ends[0]}; half have {median} or more; the smallest {ends[1]}"


def _first(names: Sequence[str]) -> str:
    some = "; ".join(map(shown, names[:_SHOWN]))
    return f"{some}; and {len(names) - _SHOWN} more" if names[_SHOWN:] else some
