"""Words of a list become their numbers, and other words take no place."""

import tensorflow as tf

from zoo.tokenization import words

NAMES = ("the", "cat", "sat", ",")


def _ids(names, texts, *, length=6):
    return words.from_words(names, length=length)(tf.constant(texts)).numpy().tolist()


def test_words_and_signs_by_their_number():
    assert _ids(NAMES, ["the cat, sat"]) == [[1, 2, 4, 3, 0, 0]]
    assert _ids(NAMES, ["The\tCAT\u3000SAT\u200b"]) == [[1, 2, 3, 0, 0, 0]]


def test_unknown_words_take_no_place():
    ids = _ids(NAMES, ["the dog sat", "dogs", "", "thecat th"])
    assert ids == [[1, 3, 0, 0, 0, 0], [0] * 6, [0] * 6, [0] * 6]


def test_case_is_kept_where_the_list_has_it():
    assert _ids(("Polish", "polish"), ["polish Polish POLISH"], length=3) == [[2, 1, 0]]


def test_cut_after_the_length():
    assert _ids(NAMES, ["the cat " * 9], length=3) == [[1, 2, 1]]


def test_bad_utf8_fails_nothing():
    assert _ids(NAMES, [b"\xffcat \xc3", b"sat"], length=2) == [[2, 0], [3, 0]]


def test_an_empty_batch():
    layer = words.from_words(NAMES, length=3)
    assert layer(tf.constant([], tf.string)).shape == (0, 3)


def test_long_words_are_whole_or_unknown():
    """A longer word than any of the list is unknown, and no word is its start."""
    long = "a" * 300
    assert _ids((long, "b"), [f"{long} b", f"{long}a b"], length=2) == [
        [1, 2],
        [2, 0],
    ]


def test_large_list_finds_each_word():
    names = [f"w{number}" for number in range(50_000)]
    texts = [f"w{n} x{n} w{n + 50_000} w{49_999 - n}" for n in range(0, 50_000, 7)]
    expected = [[n + 1, 50_000 - n] for n in range(0, 50_000, 7)]
    assert _ids(names, texts, length=2) == expected
