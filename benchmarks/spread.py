"""Medians with their spread, as tables of results show them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """`median (least to largest)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Of the same repetition, so that what else the machine does falls on both."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]
