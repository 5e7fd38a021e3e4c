"""Finds which substrings of a text are in a vocabulary, for all of them at once.

Every substring gets a 64-bit key, the same in NumPy for the vocabulary as in the graph
for texts. Keys of a vocabulary are checked to differ. That a substring outside of it
has the key of a piece happens once in some 10^14 look-ups.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_ODD_1 = np.int64(-7046029254386353131)  # 0x9E3779B97F4A7C15, the golden ratio
_ODD_2 = np.int64(-4658895280553007687)  # 0xBF58476D1CE4E5B9
# More pieces than any vocabulary has.
_MANY = 1 << 24
_BASE = np.int64(-7723592293110705685)  # 0x94D049BB133111EB


class Vocabulary:
    """Pieces of text by their keys; `longest` is in characters.

    A piece may come in two forms, as at the start of a word and inside of one: `forms`
    tells them apart. Its number is its place; an empty piece is never found.
    """

    def __init__(self, pieces: Sequence[str], forms: Sequence[int]):
        lengths = np.array([len(piece) for piece in pieces])
        self.longest = int(lengths.max())
        self._powers = _powers(self.longest)
        numbers = np.flatnonzero(lengths)
        keys = _keys_of(
            pieces, np.array(forms)[numbers], lengths[numbers], self._powers
        )
        order = np.argsort(keys)
        self._keys = keys[order]
        self._numbers = numbers[order].astype(np.int32)
        if (self._keys[1:] == self._keys[:-1]).any():
            raise ValueError(
                "Two pieces of the vocabulary are the same, or their keys."
            )

    def find(
        self, characters: tf.Tensor, forms: tf.Tensor, room: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Every piece that starts at every position: positions, lengths and numbers.

        `room` says how many characters a piece may have at a position. Matches are
        ordered by position, then by length.
        """
        count = tf.size(characters)
        mixed = _mix(tf.cast(characters, tf.int64))
        mixed = tf.pad(mixed, [[0, self.longest]])
        key = tf.cast(forms, tf.int64)
        keys = []
        for offset in range(self.longest):
            key = key * _BASE + mixed[offset : offset + count]
            keys.append(key)
        lengths = tf.range(1, self.longest + 1)
        places = tf.where(lengths <= room[:, None])
        candidates = tf.gather_nd(tf.stack(keys, axis=1), places)
        hit, numbers = self._look_up(candidates)
        places = tf.cast(tf.boolean_mask(places, hit), tf.int32)
        return places[:, 0], places[:, 1] + 1, tf.boolean_mask(numbers, hit)

    def find_whole(
        self, characters: tf.Tensor, word: tf.Tensor, words: tf.Tensor, *, form: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The mask of words that are a piece as a whole, and the numbers of the pieces.

        `word` says which word a character belongs to; `words` is how many there are.
        """
        ones = tf.ones_like(word)
        length = tf.math.unsorted_segment_sum(ones, word, words)
        end = tf.cumsum(length)
        behind = tf.gather(end, word) - 1 - tf.range(tf.size(word))
        # A longer word is not a piece, whatever its key.
        power = tf.gather(self._powers, tf.minimum(behind, self.longest))
        summand = _mix(tf.cast(characters, tf.int64)) * power
        key = tf.math.unsorted_segment_sum(summand, word, words)
        key += form * tf.gather(self._powers, tf.minimum(length, self.longest))
        hit, numbers = self._look_up(key)
        return hit & (length <= self.longest), numbers

    def _look_up(self, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        place = tf.searchsorted(self._keys, key)
        place = tf.minimum(place, len(self._keys) - 1)
        hit = tf.gather(self._keys, place) == key
        return hit, tf.gather(self._numbers, place)


def longest(
    places: tf.Tensor, lengths: tf.Tensor, numbers: tf.Tensor, count: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Length and number of the longest match at each position, or 0 and 0."""
    match = tf.cast(lengths, tf.int64) * _MANY + tf.cast(numbers, tf.int64)
    best = tf.math.unsorted_segment_max(match, places, count)
    best = tf.maximum(best, 0)
    return tf.cast(best // _MANY, tf.int32), tf.cast(best % _MANY, tf.int32)


def reachable(starts: tf.Tensor, next_position: tf.Tensor) -> tf.Tensor:
    """The mask of positions that jumps reach from one of `starts`.

    A position that jumps to itself ends there. Jumps are doubled, so there are no more
    rounds than the logarithm of the longest way.
    """

    def double(reached, jump, _):
        came = tf.boolean_mask(jump, reached)
        more = tf.tensor_scatter_nd_update(
            reached, came[:, None], tf.ones_like(came, tf.bool)
        )
        return more, tf.gather(jump, jump), tf.reduce_any(more != reached)

    reached, _, _ = tf.while_loop(
        lambda reached, jump, changed: changed,
        double,
        (starts, next_position, tf.constant(True)),
    )
    return reached


def _powers(highest: int) -> np.ndarray:
    """Powers of the base from the zeroth on, modulo 2^64."""
    with np.errstate(over="ignore"):
        return np.concatenate([[np.int64(1)], np.cumprod(np.full(highest, _BASE))])


def _keys_of(
    pieces: Sequence[str], forms: np.ndarray, lengths: np.ndarray, powers: np.ndarray
) -> np.ndarray:
    """The form and the characters as digits of a number in the base."""
    codes = np.frombuffer("".join(pieces).encode("utf-32-le"), np.uint32)
    ends = np.cumsum(lengths)
    behind = np.repeat(ends, lengths) - 1 - np.arange(len(codes))
    with np.errstate(over="ignore"):
        summands = _mix(codes.astype(np.int64)) * powers[behind]
        return np.add.reduceat(summands, ends - lengths) + forms * powers[lengths]


def _mix(codes):
    """Spreads code points over 64 bits, so that near ones have nothing in common."""
    mixed = (codes + 1) * _ODD_1
    if isinstance(mixed, np.ndarray):
        return (mixed ^ (mixed >> 29)) * _ODD_2
    shifted = tf.bitwise.right_shift(mixed, tf.constant(29, tf.int64))
    return tf.bitwise.bitwise_xor(mixed, shifted) * _ODD_2
