"""Words by a list of them: what has no vector takes no place."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from zoo.errors import BackboneError
from zoo.spec import Tokenizer
from zoo.tokenization import code_points
from zoo.tokenization.base import Tokenization, to_rows
from zoo.tokenization.substrings import Vocabulary
from zoo.weights.vectors_file import read_words

_FORM = 1
_CONTROL = ("Cc", "Cf")


@keras.saving.register_keras_serializable("zootune")
class Words(Tokenization):
    """Words between white space and signs, as their number in the list from 1 on.

    Signs are words too. Words that are not in the list are left out, so an average is
    over the known ones; a text may have none. Where no word of the list has upper
    case, texts lose theirs. Languages without spaces need texts with spaces.
    """

    def _make_tables(self, vocabulary):
        words = vocabulary.decode("utf-8").split("\n")
        self._vocabulary_table = Vocabulary(words, [_FORM] * len(words))
        self._replacements = _replacements(all(word == word.lower() for word in words))

    def _tokenize(self, texts):
        characters, rows = self._replacements(*code_points.decode(texts))
        characters, rows, starts = code_points.split_words(characters, rows)
        word = tf.cumsum(tf.cast(starts, tf.int32)) - 1
        row_of_word = tf.boolean_mask(rows, starts)
        known, number = self._vocabulary_table.find_whole(
            characters, word, tf.size(row_of_word), form=_FORM
        )
        ids = tf.boolean_mask(number + 1, known)
        rows = tf.boolean_mask(row_of_word, known)
        return to_rows(ids, rows, tf.size(texts), length=self.length)[0]


def layer(tokenizer: Tokenizer, length: int, vocabulary: Path | None) -> Words:
    """The layer of a row whose vocabulary is a file of word vectors."""
    if vocabulary is None:
        raise BackboneError("A tokenizer of kind 'words' needs a file of word vectors.")
    return from_words(read_words(vocabulary), length=length)


def from_words(words: Sequence[str], *, length: int) -> Words:
    """The layer for a list of words, in the order of their ids."""
    return Words("\n".join(words).encode(), length=length, name="tokenizer")


@functools.lru_cache
def _replacements(lowercase: bool) -> code_points.Replacements:
    return code_points.Replacements(functools.partial(_rule, lowercase=lowercase))


def _rule(character: str, *, lowercase: bool) -> str:
    if code_points.is_white(character):
        return " "
    if character == "\ufffd" or unicodedata.category(character) in _CONTROL:
        return ""
    kept = character.lower() if lowercase else character
    return code_points.spaced(kept, code_points.is_punctuation)
