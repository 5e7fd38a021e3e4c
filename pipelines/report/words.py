"""Numbers in words, for sentences of the page of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scipy.stats import binomtest


def percent(share: float) -> str:
    """A share in percent, with enough digits to differ from all and from none.

    >>> percent(0.9433), percent(0.99996), percent(1.0)
    ('94.3%', '99.996%', '100%')
    """
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    for digits in (1, 2, 3, 4):
        text = f"{share:.{digits}%}"
        if 0 < float(text[:-1]) < 100:
            return text
    return f"{100 * share:.3g}%"


def interval(right: int, examples: int, *, comparisons: int = 1) -> tuple[float, float]:
    """Wilson's interval, which holds near 1 and for few examples too.

    It is of 95 %; of several comparisons all hold with 95 % (Bonferroni).
    """
    bounds = binomtest(right, examples).proportion_ci(
        confidence_level=1 - 0.05 / comparisons, method="wilson"
    )
    return float(bounds.low), float(bounds.high)


def right_of(split: Mapping[str, Any]) -> int:
    """The number of right answers in the report of a split."""
    return round(split["accuracy"] * split["examples"])


def counted(count: int, noun: str) -> str:
    """A number with its noun, which takes an s.

    >>> counted(1, "class"), counted(3, "image")
    ('1 class', '3 images')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}es" if noun.endswith("s") else f"{count} {noun}s"
