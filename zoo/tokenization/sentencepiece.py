"""SentencePiece with unigrams: https://arxiv.org/abs/1808.06226.

Text is normalised, and split into the pieces with the highest sum of scores (Viterbi,
https://arxiv.org/abs/1804.10959). This is done for all words of a batch at once, one
character after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import BackboneError
from zoo.spec import Tokenizer
from zoo.tokenization import code_points
from zoo.tokenization.base import Tokenization, between, read_vocabulary
from zoo.tokenization.sentencepiece_file import parse
from zoo.tokenization.substrings import Vocabulary, longest, reachable

_FORM = 1
_SPACE = 0x2581
# What SentencePiece takes off the lowest score for a character without a piece.
_UNKNOWN_PENALTY = 10.0
# Cutting a text changes its last pieces only.
_MARGIN_PIECES = 8


@keras.saving.register_keras_serializable("zootune")
class SentencePiece(Tokenization):
    """Strings to the numbers of their pieces plus 1, between `<s>` and `</s>`.

    `vocabulary` is the model file of SentencePiece. Numbers are one more than there,
    where 0 is the unknown piece: here it is padding. Texts are cut after a number of
    characters beyond which no id is read.
    """

    def _make_tables(self, vocabulary):
        if self.length < 2:
            raise BackboneError(
                f"A text of {self.length} tokens has no room for <s> and </s>, which"
                " this network needs: take at least 2."
            )
        model = parse(vocabulary)
        self._first = model.number_of("<s>") + 1
        self._last = model.number_of("</s>") + 1
        self._unknown = model.unknown
        numbers = np.flatnonzero(model.matched)
        self._numbers = numbers.astype(np.int32)
        self._scores = model.scores[numbers]
        self._unknown_score = self._scores.min() - _UNKNOWN_PENALTY
        self._pieces = Vocabulary(
            [model.pieces[number] for number in numbers], [_FORM] * len(numbers)
        )
        self._normalization = Normalization(model.replacements)

    def _tokenize(self, texts):
        characters, rows = self._normalization(*code_points.decode(texts))
        characters, rows = _with_words_marked(characters, rows, tf.size(texts))
        most = self._pieces.longest * (self.length + _MARGIN_PIECES)
        characters, rows = _cut(characters, rows, most)
        ids, rows = self._split(characters, rows)
        return between(
            ids,
            rows,
            tf.size(texts),
            first=self._first,
            last=self._last,
            length=self.length,
        )

    def _split(self, characters, rows):
        """The ids of the best pieces, and the row of each."""
        count = tf.size(characters)
        position = tf.range(count)
        starts = characters == _SPACE
        word = tf.cumsum(tf.cast(starts, tf.int32)) - 1
        words = tf.math.count_nonzero(starts, dtype=tf.int32)
        length = tf.math.unsorted_segment_sum(tf.ones_like(word), word, words)
        end = tf.gather(tf.cumsum(length), word)
        place = position - (end - tf.gather(length, word))
        scores, numbers = self._candidates(characters, end - position)
        best = _best_lengths(scores, place, word, length)
        before = position - best
        is_last = position == end - 1
        chosen = reachable(is_last, tf.where(best <= place, before, position))
        number = tf.gather(numbers, self._pieces.longest - best, batch_dims=1)
        number, rows = (tf.boolean_mask(x, chosen) for x in (number, rows))
        # SentencePiece makes one of several unknown pieces in a row.
        unknown = number == self._unknown
        again = unknown[1:] & unknown[:-1] & (rows[1:] == rows[:-1])
        kept = tf.concat([[True], ~again], 0)[: tf.size(number)]
        return tf.boolean_mask(number + 1, kept), tf.boolean_mask(rows, kept)

    def _candidates(self, characters, room):
        """Scores and numbers of the pieces that end at every position.

        Both are `[characters, longest]`, the longest piece first.
        """
        shape = [tf.size(characters), self._pieces.longest]
        places, lengths, pieces = self._pieces.find(
            characters, tf.fill(shape[:1], _FORM), room
        )
        index = tf.stack([places + lengths - 1, shape[1] - lengths], 1)
        scores = tf.tensor_scatter_nd_update(
            tf.fill(shape, tf.constant(-np.inf, tf.float64)),
            index,
            tf.gather(self._scores, pieces),
        )
        numbers = tf.tensor_scatter_nd_update(
            tf.fill(shape, self._unknown),
            index,
            tf.gather(self._numbers, pieces),
        )
        alone = scores[:, -1]
        alone = tf.where(tf.math.is_inf(alone), self._unknown_score, alone)
        return tf.concat([scores[:, :-1], alone[:, None]], 1), numbers


class Normalization:
    """Replaces what is not normal, the longest first, from left to right."""

    def __init__(self, replacements: Mapping[str, str]):
        several = [key for key in replacements if len(key) > 1]
        # Mostly accents: few positions have one of them next, and need a look-up.
        behind = {ord(character) for key in several for character in key[1:]}
        self._behind = np.array(sorted(behind), np.int32)
        self._several = Vocabulary(several, [_FORM] * len(several)) if several else None
        self._replacements = code_points.Replacements(
            lambda character: replacements.get(character, character),
            ["", *(replacements[key] for key in several)],
        )

    def __call__(
        self, characters: tf.Tensor, rows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The normal characters, and the row of each."""
        if self._several is None:
            return self._replacements(characters, rows)
        count = tf.size(characters)
        position = tf.range(count)
        left = tf.searchsorted(rows, rows, side="right") - position
        place = tf.searchsorted(self._behind, characters)
        place = tf.minimum(place, len(self._behind) - 1)
        is_behind = tf.gather(self._behind, place) == characters
        room = tf.where(tf.concat([is_behind[1:], [False]], 0)[:count], left, 0)
        matches = self._several.find(characters, tf.fill([count], _FORM), room)
        length, number = longest(*matches, count)
        # A match may begin inside of an earlier one, and then does not count.
        free = tf.ones([count], tf.bool)
        for back in range(1, self._several.longest):
            free &= tf.pad(length, [[back, 0]])[:count] <= back
        after = tf.minimum(position + tf.maximum(length, 1), count - 1)
        visited = reachable(free, after)
        other = tf.where(visited, tf.where(length > 0, number + 1, -1), 0)
        return self._replacements(characters, rows, other)


def _with_words_marked(
    characters: tf.Tensor, rows: tf.Tensor, count: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """One mark before each word rather than spaces, and none at the end of a text."""
    characters, rows, starts = code_points.split_words(characters, rows)
    length = tf.where(starts, 2, 1)
    source = tf.repeat(tf.range(tf.size(rows)), length)
    first = tf.gather(tf.cumsum(length, exclusive=True), source)
    position = tf.range(tf.size(source))
    is_mark = tf.gather(starts, source) & (position == first)
    characters = tf.where(is_mark, _SPACE, tf.gather(characters, source))
    rows = tf.gather(rows, source)
    # A text may have the mark as a character, too.
    last = tf.where(characters == _SPACE, -1, position)
    kept = position <= tf.gather(tf.math.unsorted_segment_max(last, rows, count), rows)
    return tf.boolean_mask(characters, kept), tf.boolean_mask(rows, kept)


def _cut(
    characters: tf.Tensor, rows: tf.Tensor, most: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The first characters of each row."""
    kept = tf.range(tf.size(rows)) - tf.searchsorted(rows, rows) < most
    return tf.boolean_mask(characters, kept), tf.boolean_mask(rows, kept)


def _best_lengths(
    scores: tf.Tensor, place: tf.Tensor, word: tf.Tensor, length: tf.Tensor
) -> tf.Tensor:
    """The length of the last piece of the best way to each position.

    `scores` `[characters, longest]` are of the pieces that end there, the longest
    first, and `place` is where in its word a character is. One round for each place:
    long words are put first, so that the words that go on are always the first.
    """
    longest_piece = scores.shape[-1]
    rank = tf.argsort(tf.argsort(length, direction="DESCENDING", stable=True))
    key = tf.cast(place, tf.int64) * tf.size(length, tf.int64)
    order = tf.argsort(key + tf.cast(tf.gather(rank, word), tf.int64))
    scores = tf.gather(scores, order)
    going_on = tf.math.bincount(place, minlength=1)
    offset = tf.cumsum(going_on, exclusive=True)
    rounds = tf.size(going_on)
    # The best sums before the last pieces: at first there is nothing, for nothing.
    sums = tf.fill([going_on[0], longest_piece - 1], tf.constant(-np.inf, tf.float64))
    sums = tf.concat([sums, tf.zeros([going_on[0], 1], tf.float64)], 1)
    lengths = tf.TensorArray(tf.int32, rounds, infer_shape=False, element_shape=[None])

    def step(number, sums, lengths):
        here = sums[: going_on[number]] + scores[offset[number] :][: going_on[number]]
        best = tf.argmax(here, axis=1, output_type=tf.int32)
        total = tf.reduce_max(here, axis=1, keepdims=True)
        sums = tf.concat([sums[: going_on[number], 1:], total], 1)
        sums = tf.ensure_shape(sums, (None, longest_piece))
        return number + 1, sums, lengths.write(number, longest_piece - best)

    _, _, lengths = tf.while_loop(
        lambda number, *_: number < rounds,
        step,
        (0, sums, lengths),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None, longest_piece]),
            tf.TensorShape(None),
        ),
    )
    return tf.scatter_nd(order[:, None], lengths.concat(), tf.shape(order))


def layer(tokenizer: Tokenizer, length: int, vocabulary: Path | None) -> SentencePiece:
    """The layer of a row, for a model file of SentencePiece."""
    content = read_vocabulary(tokenizer, vocabulary)
    return SentencePiece(content, length=length, name="tokenizer")
