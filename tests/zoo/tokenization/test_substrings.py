"""Pieces of a vocabulary are found in a text, all at once."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.tokenization import substrings

PIECES = ("", "a", "ab", "abc", "b", "ab")
FORMS = (1, 1, 1, 1, 1, 2)


def codes(text):
    return tf.constant(list(map(ord, text)), tf.int32)


def all_matches(text, room):
    matches = substrings.Vocabulary(PIECES, FORMS).find(
        codes(text), tf.ones([len(text)], tf.int32), tf.constant(room)
    )
    return list(zip(*(tensor.numpy().tolist() for tensor in matches)))


def test_find_gives_place_length_and_number():
    assert all_matches("abcx", [9] * 4) == [(0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 1, 4)]


def test_find_keeps_within_the_room():
    assert all_matches("abcx", [2, 0, 9, 9]) == [(0, 1, 1), (0, 2, 2)]


def test_find_whole_matches_words_only_as_a_whole():
    text, word = "abababcd", [0, 0, 1, 1, 1, 1, 1, 1]
    vocabulary = substrings.Vocabulary(PIECES, FORMS)
    hit, number = vocabulary.find_whole(
        codes(text), tf.constant(word), tf.constant(2), form=2
    )
    assert hit.numpy().tolist() == [True, False]
    assert number.numpy()[0] == 5


def test_vocabulary_refuses_a_piece_twice():
    with pytest.raises(ValueError, match="Two pieces of the vocabulary are the same"):
        substrings.Vocabulary(("a", "a"), (1, 1))


def test_longest_takes_one_match_a_position():
    length, number = substrings.longest(
        tf.constant([0, 0, 2]),
        tf.constant([1, 3, 2]),
        tf.constant([7, 8, 9]),
        tf.constant(3),
    )
    assert length.numpy().tolist() == [3, 0, 2]
    assert number.numpy().tolist() == [8, 0, 9]


def test_reachable_follows_the_jumps():
    jumps = tf.constant([2, 3, 4, 4, 4])
    starts = tf.constant([True, False, False, False, False])
    reached = substrings.reachable(starts, jumps).numpy()
    np.testing.assert_array_equal(np.flatnonzero(reached), [0, 2, 4])
