"""Texts as code points, and rules that replace them, as tensors of a graph.

TensorFlow alone knows neither Unicode's categories nor its normal forms. Rules that
look at one character at a time become a table here, made once from Python's own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

_PAGE = 256
_LAST = 0x110000
# Planes 4 to 13 are unassigned and 15 and 16 are for private use: there one character
# stands for its plane, and making the table takes a fifth of the time.
_VARIED_PLANES = (0, 1, 2, 3, 14)
_ITSELF = -1
_SPACE = ord(" ")

# Chinese characters: BERT makes each of them a word. Hangul and kana are not among
# them. https://github.com/google-research/bert/blob/master/tokenization.py
_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def decode(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The code points of UTF-8 strings `[batch]`, one after another, and their rows.

    Bytes that are not UTF-8 become U+FFFD, so a bad text does not fail its neighbours.
    """
    decoded = tf.strings.unicode_decode(
        texts, "UTF-8", errors="replace", replace_control_characters=False
    )
    return decoded.flat_values, tf.cast(decoded.value_rowids(), tf.int32)


class Replacements:
    """The characters that each character becomes by a rule: none, itself, or others.

    `others` are what characters may become where the rule does not hold.
    """

    def __init__(self, rule: Callable[[str], str], others: Sequence[str] = ()):
        parts: dict[tuple[int, ...], int] = {(_ITSELF,): 0}
        self._others = np.array(
            [parts.setdefault(tuple(map(ord, o)), len(parts)) for o in others], np.int32
        )
        pages: dict[bytes, int] = {}
        page_of = []
        for start in range(0, _LAST, _PAGE):
            page = _page(rule, start, parts)
            page_of.append(pages.setdefault(page.tobytes(), len(pages)))
        self._page_of = np.array(page_of, np.int32)
        self._part_of = np.frombuffer(b"".join(pages), np.int32)
        self._lengths = np.array([len(part) for part in parts], np.int32)
        self._starts = np.cumsum(self._lengths, dtype=np.int32) - self._lengths
        self._characters = np.array([c for part in parts for c in part], np.int32)

    def __call__(
        self, characters: tf.Tensor, rows: tf.Tensor, other: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The characters after replacement, and the row of each.

        Where `other` is not negative, it is the number of one of `others`.
        """
        page = tf.gather(self._page_of, characters // _PAGE)
        part = tf.gather(self._part_of, page * _PAGE + characters % _PAGE)
        if other is not None:
            instead = tf.gather(self._others, tf.maximum(other, 0))
            part = tf.where(other >= 0, instead, part)
        length = tf.gather(self._lengths, part)
        source = tf.repeat(tf.range(tf.size(characters)), length)
        first = tf.cumsum(length, exclusive=True)
        offset = tf.range(tf.size(source)) - tf.gather(first, source)
        place = tf.gather(tf.gather(self._starts, part), source) + offset
        replaced = tf.gather(self._characters, place)
        kept = tf.gather(characters, source)
        return tf.where(replaced == _ITSELF, kept, replaced), tf.gather(rows, source)


def split_words(
    characters: tf.Tensor, rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Takes the spaces out; gives the other characters, their rows and word starts."""
    is_space = characters == _SPACE
    after_space = tf.concat([[True], is_space[:-1]], 0)[: tf.size(rows)]
    new_row = tf.concat([[True], rows[1:] != rows[:-1]], 0)[: tf.size(rows)]
    kept = ~is_space
    starts = tf.boolean_mask(after_space | new_row, kept)
    return tf.boolean_mask(characters, kept), tf.boolean_mask(rows, kept), starts


def is_white(character: str) -> bool:
    """True for white space of Unicode (`str.isspace` has four more)."""
    return character.isspace() and character not in "\x1c\x1d\x1e\x1f"


def is_punctuation(character: str) -> bool:
    """Unicode's punctuation, and all that is neither letter, digit nor space of ASCII.

    BERT adds the latter: `$`, `+`, `<`, `=`, `>`, `^`, `` ` ``, `|` and `~`.
    """
    is_ascii_sign = "!" <= character <= "~" and not character.isalnum()
    return is_ascii_sign or unicodedata.category(character).startswith("P")


def is_chinese(character: str) -> bool:
    """True for the blocks of Unicode that BERT splits into single characters."""
    code = ord(character)
    return any(first <= code <= last for first, last in _CHINESE)


def spaced(text: str, stands_alone: Callable[[str], bool]) -> str:
    """The text with spaces around each character that is a word of its own."""
    return "".join(f" {c} " if stands_alone(c) else c for c in text)


def _page(
    rule: Callable[[str], str], start: int, parts: dict[tuple[int, ...], int]
) -> np.ndarray:
    """The number of the part that each of 256 characters becomes."""
    varied = start >> 16 in _VARIED_PLANES
    numbers = np.zeros(_PAGE, np.int32)
    for offset in range(_PAGE) if varied else (0,):
        character = chr(start + offset)
        becomes = rule(character)
        # So that characters that only gain spaces share one part.
        part = tuple(_ITSELF if c == character else ord(c) for c in becomes)
        numbers[offset] = parts.setdefault(part, len(parts))
    return numbers if varied else np.full(_PAGE, numbers[0], np.int32)
