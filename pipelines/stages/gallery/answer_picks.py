"""The choice of examples with several labels, or numbers, that a page shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipelines.report.answer_rows import LabelRow, NumberRow

_MOST = {"mistake": 48, "typical": 16}
_NO_LABEL = "(no label)"


@dataclasses.dataclass(frozen=True)
class Pick:
    """A row of a split with its role, and its labels and answer in words."""

    row: int
    role: str
    label: str
    predicted: str
    confidence: float | None


def pick_answers(rows: Iterable[Any]) -> list[Pick]:
    """Picks among the rows of one split, in their order: worst, then best answers.

    Of labels the worst are wrong and the surest, the best right and the surest. Of
    numbers they have the largest and the smallest errors, as shares of their intervals,
    because targets may have different units. Other rows have no picks.
    """
    listed = list(rows)
    ways: Mapping[type, Callable[[list[Any]], list[Pick]]] = {
        LabelRow: _of_labels,
        NumberRow: _of_numbers,
    }
    way = ways.get(type(listed[0])) if listed else None
    return way(listed) if way else []


def label_words(names: Iterable[str]) -> str:
    """Several labels in a line."""
    return " | ".join(names) or _NO_LABEL


def number_words(values: Mapping[str, float]) -> str:
    """One number, or several with their names."""
    if len(values) == 1:
        (value,) = values.values()
        return f"{value:.4g}"
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _of_labels(rows: list[LabelRow]) -> list[Pick]:
    order = sorted(range(len(rows)), key=lambda i: -rows[i].confidence)
    picks: dict[str, list[Pick]] = {"mistake": [], "typical": []}
    for i in order:
        row = rows[i]
        is_right = set(row.labels) == set(row.predicted)
        role = "typical" if is_right else "mistake"
        words = label_words(row.labels), label_words(row.predicted)
        if is_right:  # in whatever order they are
            words = words[0], words[0]
        picks[role].append(Pick(i, role, *words, round(row.confidence, 6)))
    return [row for role, some in picks.items() for row in some[: _MOST[role]]]


def _of_numbers(rows: list[NumberRow]) -> list[Pick]:
    order = sorted(range(len(rows)), key=lambda i: -_error(rows[i]))
    # Of few examples each is shown once.
    worst = order[: min(_MOST["mistake"], (len(order) + 1) // 2)]
    best = order[len(worst) :][::-1][: _MOST["typical"]]
    return [
        Pick(
            i,
            role,
            number_words(rows[i].values),
            number_words(rows[i].predicted),
            None,
        )
        for role, some in (("mistake", worst), ("typical", best))
        for i in some
    ]


def _error(row: NumberRow) -> float:
    """The largest error of its targets, as a share of their intervals."""
    return max(
        abs(value - row.predicted[name]) / ((high - low) or 1.0)
        for name, value in row.values.items()
        for low, high in [row.intervals[name]]
    )
