"""Texts are shown on one line, and blank ones are known."""

from __future__ import annotations

import pytest

from pipelines.display.text import (
    is_blank,
    is_printable,
    lines_shown,
    sentences,
    short_lines,
    shortened,
    shown,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines", r"two\nlines"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\u202eb", r"a\u202eb"),
        ("\udcff.jpg", r"\udcff.jpg"),
        ("naïve 漢", "naïve 漢"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_shown_escapes_what_cannot_be_printed(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert is_printable(shown(text))


def test_lines_shown_keeps_lines() -> None:
    assert lines_shown("a\nb\x07") == "a\nb\\x07"


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u200b\ufeff", "\u3000"])
def test_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}.")


def test_shortened_says_the_length() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "abc... (4 characters)"


def test_a_reason_becomes_short_lines():
    reason = (
        "A linear probe is right on 98.1% (standard error 0.5%) reading 3 blocks in 2"
        " by 2 cells, and on 97.0% reading the last block alone. The last block is"
        " the best.\nWarning: few photos."
    )
    lines = short_lines(reason)
    assert lines == [
        "A linear probe is right on 98.1% (standard error 0.5%) reading 3 blocks in",
        "  2 by 2 cells, and on 97.0% reading the last block alone.",
        "The last block is the best.",
        "Warning: few photos.",
    ]
    assert short_lines("") == []
    assert sentences("x" * 200) == ["x" * 200] == short_lines("x" * 200)
