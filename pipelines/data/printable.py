"""Words of messages, and names that fit into a line of a terminal or a page."""

from __future__ import annotations

# What the examples of a modality are called.
PLURALS = {"image": "images", "text": "texts", "series": "series"}


def shown(text: str) -> str:
    """The text on one line, with escapes for what cannot be printed.

    Such as a line break, or a byte of a file name that is not UTF-8.

    >>> shown("two\\nlines")
    'two\\\\nlines'
    """
    return text if text.isprintable() else repr(text)[1:-1]


def lines_shown(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(map(shown, text.split("\n")))
