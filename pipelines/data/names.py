"""How names are ordered and how a misspelt one is answered."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from pipelines.display.text import shortened

# Of more names than this, the first are compared with a misspelt one, and of those that
# are allowed this many are shown: a table may have a million columns.
_COMPARED, _ALLOWED_SHOWN = 2000, 40
_LONGEST_NAME = 80


def natural_key(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """A sort key that orders runs of digits by value: `1, 2, 10`."""
    # Splitting on a capture group alternates text and digits, text first, so that
    # two keys never compare one with the other.
    parts = re.split(r"(\d+)", name)
    return [_value(part) if i % 2 else part for i, part in enumerate(parts)], name


def _value(digits: str) -> tuple[int, str]:
    """What orders digits by value, however many: `int` refuses some thousands."""
    if not digits.isascii():
        digits = "".join(str(unicodedata.digit(digit)) for digit in digits)
    without_zeros = digits.lstrip("0")
    return len(without_zeros), without_zeros


def choices(name: str, known: Iterable[str]) -> str:
    """The end of an error about `name`: what is allowed, and the nearest of it.

    However many are known and however long they are, it stays short.
    """
    every = list(known)
    allowed = sorted(
        (shortened(item, _LONGEST_NAME) for item in every[:_COMPARED]), key=natural_key
    )
    near = difflib.get_close_matches(name[:_LONGEST_NAME], allowed, n=1)
    nearest = f" Did you mean {near[0]!r}?" if near else ""
    more = len(every) - _ALLOWED_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"Allowed: {', '.join(allowed[:_ALLOWED_SHOWN])}{rest}.{nearest}"


def listing(items: Iterable[str], *, shown: int) -> str:
    """The first `shown` items in a row, and how many more there are."""
    every = list(items)
    rest = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(map(shortened, every[:shown])) + rest
