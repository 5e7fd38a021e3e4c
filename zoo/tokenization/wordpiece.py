"""WordPiece as BERT uses it: https://arxiv.org/abs/1810.04805, section 3.

Text is cleaned, split at white space and punctuation, and each word is split into the
longest pieces that the vocabulary has, from left to right. A word that cannot be split
so is one `[UNK]`.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

import keras
import tensorflow as tf

from zoo.errors import BackboneError
from zoo.spec import Tokenizer
from zoo.tokenization import code_points
from zoo.tokenization.base import PADDING, Tokenization, between, read_vocabulary
from zoo.tokenization.substrings import Vocabulary, longest, reachable

_LONGEST_WORD = 100
_CONTROL = ("Cc", "Cf", "Co")
_START, _INSIDE = 1, 2
_INSIDE_MARK = "##"


@keras.saving.register_keras_serializable("zootune")
class WordPiece(Tokenization):
    """Strings to ids between `[CLS]` and `[SEP]`, without case and accents.

    `vocabulary` has one piece per line, whose number is its id. `[CLS]` within a text
    is text, as any other: nobody can steer the network from inside of one.
    """

    def _make_tables(self, vocabulary):
        # Not `splitlines`: pieces may be characters that it takes for the end of one.
        pieces = vocabulary.decode("utf-8").removesuffix("\n").split("\n")
        ids = _numbered(pieces)
        if self.length < 2:
            raise BackboneError(
                f"A text of {self.length} tokens has no room for [CLS] and [SEP], which"
                " BERT needs: take at least 2."
            )
        self._unknown, self._first, self._last = (
            _id_of(ids, name) for name in ("[UNK]", "[CLS]", "[SEP]")
        )
        if ids.get("[PAD]") != PADDING:
            raise BackboneError(
                "A WordPiece vocabulary has [PAD] in its first line; found"
                f" '{pieces[0]}'."
            )
        inside = [piece.startswith(_INSIDE_MARK) for piece in pieces]
        self._vocabulary_table = Vocabulary(
            [p.removeprefix(_INSIDE_MARK) if i else p for p, i in zip(pieces, inside)],
            [_INSIDE if i else _START for i in inside],
        )
        self._replacements = _replacements()

    def _tokenize(self, texts):
        characters, rows = self._replacements(*code_points.decode(texts))
        characters, rows, starts = code_points.split_words(characters, rows)
        count = tf.size(texts)
        ids, rows = self._pieces(*self._words_that_count(characters, rows, starts))
        return between(
            ids, rows, count, first=self._first, last=self._last, length=self.length
        )

    def _words_that_count(self, characters, rows, starts):
        """Leaves out what cannot be seen: a long text costs no more than a short one.

        Each word gives at least one id, and one that is too long exactly one, so of
        these the first character stands for all.
        """
        word = tf.cumsum(tf.cast(starts, tf.int32)) - 1
        row_of_word = tf.boolean_mask(rows, starts)
        length = tf.math.bincount(word, minlength=tf.size(row_of_word))
        number = tf.range(tf.size(row_of_word))
        first_of_row = tf.searchsorted(row_of_word, row_of_word)
        seen = number - first_of_row < self.length - 2
        too_long = length > _LONGEST_WORD
        kept = tf.gather(seen, word) & (starts | ~tf.gather(too_long, word))
        return (
            tf.boolean_mask(characters, kept),
            tf.boolean_mask(rows, kept),
            tf.boolean_mask(starts, kept),
            tf.boolean_mask(too_long, seen),
        )

    def _pieces(self, characters, rows, starts, too_long):
        """The ids of the longest pieces from left to right, and the row of each."""
        count = tf.size(characters)
        position = tf.range(count)
        word = tf.cumsum(tf.cast(starts, tf.int32)) - 1
        words = tf.size(too_long)
        end = tf.gather(tf.math.unsorted_segment_max(position + 1, word, words), word)
        places, lengths, numbers = self._vocabulary_table.find(
            characters, tf.where(starts, _START, _INSIDE), end - position
        )
        length, number = longest(places, lengths, numbers, count)
        after = position + length
        after = tf.where(after < end, after, position)
        visited = reachable(starts, after)
        stuck = tf.cast(visited & (length == 0), tf.int32)
        unknown = tf.math.unsorted_segment_max(stuck, word, words) > 0
        unknown = tf.gather(unknown | too_long, word)
        chosen = tf.where(unknown, starts, visited)
        ids = tf.where(unknown, self._unknown, number)
        return tf.boolean_mask(ids, chosen), tf.boolean_mask(rows, chosen)


def layer(tokenizer: Tokenizer, length: int, vocabulary: Path | None) -> WordPiece:
    """The layer of a row, for a vocabulary file with one piece per line."""
    pieces = read_vocabulary(tokenizer, vocabulary)
    return WordPiece(pieces, length=length, name="tokenizer")


def _numbered(pieces: list[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for number, piece in enumerate(pieces):
        if ids.setdefault(piece, number) != number:
            raise BackboneError(
                f"The WordPiece vocabulary is damaged: '{piece}' comes twice, in lines"
                f" {ids[piece] + 1} and {number + 1}."
            )
    return ids


def _id_of(ids: dict[str, int], name: str) -> int:
    if name not in ids:
        raise BackboneError(
            f"The WordPiece vocabulary has no {name}, so it is not one of BERT."
        )
    return ids[name]


@functools.lru_cache
def _replacements() -> code_points.Replacements:
    return code_points.Replacements(_rule)


def _rule(character: str) -> str:
    """The characters that BERT's normaliser and its splitting make of a character."""
    if character in "\t\n\r":
        return " "
    # Before white space: some control characters are both.
    if character in "\0\ufffd" or unicodedata.category(character) in _CONTROL:
        return ""
    if code_points.is_white(character):
        return " "
    apart = unicodedata.normalize("NFD", character)
    apart = "".join(c for c in apart if unicodedata.category(c) != "Mn").lower()
    if code_points.is_chinese(character):
        return f" {apart} "
    return code_points.spaced(apart, code_points.is_punctuation)
