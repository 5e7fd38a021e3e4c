"""The verdict of the quality gate, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.display.html import Table

_HEADER = ("asked", "measured", "passed", "missed by")


def gate_table(gate: Mapping[str, Any] | None) -> Table | None:
    """A row for each condition, from `gate` of `report.json`; None without a gate."""
    if gate is None:
        return None
    rows = [_bound(row) for row in gate["minimum"]]
    rows += [_compared(row) for row in _references(gate)]
    return Table("Quality gate", _HEADER, rows)


def _references(gate: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if gate["not_worse_than"] is not None:
        yield gate["not_worse_than"]


def _bound(row: Mapping[str, Any]) -> tuple[str, ...]:
    value, missed = row["value"], row["missed_by"]
    return (
        row["condition"],
        "-" if value is None else f"{value:.4f}",
        "yes" if row["passed"] else "no",
        "-" if missed is None else f"{missed:.4f}",
    )


def _compared(row: Mapping[str, Any]) -> tuple[str, ...]:
    missed = -row["margin"] - row["lower"]
    return (
        f"accuracy at most {row['margin']:g} below that in {row['reference']}",
        f"{row['difference']:+.4f}, and with {1 - row['level']:.1%} certainty at least"
        f" {row['lower']:+.4f}, on {row['examples']} examples",
        "yes" if row["passed"] else "no",
        "-" if row["passed"] else f"{missed:.4f}",
    )
