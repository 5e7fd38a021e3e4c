"""Words of messages, and names that fit into a line of a terminal or a page."""

from __future__ import annotations

import re
import textwrap

# The examples of each modality.
PLURALS = {
    "image": "images",
    "text": "texts",
    "series": "series",
    "sound": "sounds",
    "table": "rows of a table",
}

# Characters that join letters, or keep them apart, inside a word: in Persian and Hindi,
# and in emoji of several people. They are harmless.
_JOINERS = {0x200C: None, 0x200D: None}
# A text of nothing but these shows nothing: white space, characters of no width and
# marks of direction. Python and the graph of an artifact match this one pattern, so it
# has the characters themselves, and no classes, on which the two differ.
_UNSEEN = "\0- \x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
BLANK = f"[{_UNSEEN}\u3000\ufeff]*"
_is_blank = re.compile(BLANK).fullmatch
# The end of a sentence; a point inside of a number has no blank behind it.
_NEXT_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z'\"(])")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_RESERVED = ("self", "inputs")
# Longer than the name of any file.
_LONGEST_ITEM = 300


def input_name(column: str) -> str:
    """The name of the input of a served model for a column of a table.

    TensorFlow takes letters, digits and `_` there, and keeps two names for itself.

    >>> input_name("sepal length (cm)")
    'sepal_length_cm'
    """
    name = _UNSAFE.sub("_", column).strip("_")
    return f"{name}_" if name in _RESERVED else name


def is_blank(text: str) -> bool:
    """True for a text, a cell or a name that shows nothing."""
    return _is_blank(text) is not None


def without_joiners(text: str) -> str:
    """The text without characters that join letters or keep them apart."""
    return text if text.isascii() else text.translate(_JOINERS)


def is_printable(text: str) -> bool:
    """True for a text that can be shown as it is, on one line and left to right."""
    return without_joiners(text).isprintable()


def shown(text: str) -> str:
    """The text on one line, with escapes for what cannot be printed.

    Such as a line break, or a byte of a file name that is not UTF-8.

    >>> shown("two\\nlines")
    'two\\\\nlines'
    """
    return text if is_printable(text) else repr(text)[1:-1]


def shortened(text: str, most: int = _LONGEST_ITEM) -> str:
    """The text, or its beginning and its length."""
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(text)} characters)"


def sentences(text: str) -> list[str]:
    """The sentences of a text, each alone; line breaks end one too.

    >>> sentences("It is right on 98.1%. The head is enough.")
    ['It is right on 98.1%.', 'The head is enough.']
    """
    parts = (part for line in text.splitlines() for part in _NEXT_SENTENCE.split(line))
    return [stripped for part in parts if (stripped := part.strip())]


def short_lines(text: str, *, width: int = 74) -> list[str]:
    """The text as lines of at most `width` characters: a new one for each sentence.

    The further lines of a long sentence are indented; a longer word stays whole.
    """
    return [
        line
        for sentence in sentences(text)
        for line in textwrap.wrap(
            sentence,
            width,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def lines_shown(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(map(shown, text.split("\n")))
