"""The order of names, lists of names in messages, and answers to misspelt ones."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from pipelines.display.text import shortened

# A misspelt name is compared with this many names at most, and this many allowed ones
# are shown: a table may have a million columns.
_COMPARED, _ALLOWED_SHOWN = 2000, 40
_LONGEST_NAME = 80


def natural_key(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """A sort key that orders runs of digits by value: `1, 2, 10`."""
    # Splitting on a capture group alternates text and digits, text first, so that
    # two keys never compare text with digits.
    parts = re.split(r"(\d+)", name)
    return [_value(part) if i % 2 else part for i, part in enumerate(parts)], name


def _value(digits: str) -> tuple[int, str]:
    """A key that orders any number of digits by value; `int` refuses thousands."""
    if not digits.isascii():
        digits = "".join(str(unicodedata.digit(digit)) for digit in digits)
    without_zeros = digits.lstrip("0")
    return len(without_zeros), without_zeros


def choices(name: str, known: Iterable[str]) -> str:
    """The end of an error about `name`: the allowed names, and the nearest one.

    It stays short, whatever the number and the length of the names.
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
    """The first `shown` items in a row, and the number of the others."""
    every = list(items)
    rest = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(map(shortened, every[:shown])) + rest


def free_name(stem: str, taken: set[str], *, suffix: str = "") -> str:
    """`stem` and `suffix`, or the nearest free name, as in `a-1.png`; it is then taken.

    Names that differ in case, or in the form of their Unicode, are one on some disks.
    """
    name, number = f"{stem}{suffix}", 0
    while (key := unicodedata.normalize("NFC", name).casefold()) in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(key)
    return name
