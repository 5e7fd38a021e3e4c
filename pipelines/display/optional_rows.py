"""Rows of the result of a run that only some runs have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fold_rows(scores: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The spread of folds, where the run has some; validation is out of fold then."""
    if not scores:
        return []
    spread = f"{scores['mean']:.4f}, standard deviation"
    spread += f" {scores['standard_deviation']:.4f}"
    each = ", ".join(f"{value:.4f}" for value in scores["per_fold"])
    rows = [(f"{scores['count']} folds", f"{scores['metric']} {spread} ({each})")]
    if scores.get("chosen") is not None:
        rows.append(("head", f"the best, of fold {scores['chosen'] + 1}"))
    return rows


def view_rows(choice: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The choice of views at test time, where there was one."""
    if not choice:
        return []
    adds = choice["multiply_adds"]
    cost = "" if adds is None else f" {adds / 1e6:,.0f} M multiply-adds an image."
    return [("test views", f"{choice['views']}. {choice['reason']}{cost}")]
