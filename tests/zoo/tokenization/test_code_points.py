"""Rules for single characters become tables that a graph looks up."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.tokenization import code_points


def as_text(characters):
    return "".join(map(chr, np.asarray(characters)))


def test_decode_gives_characters_and_rows():
    characters, rows = code_points.decode(tf.constant([b"a\xc3\xa9", b"", b"\xffb"]))
    assert as_text(characters) == "aé\ufffdb"
    assert rows.numpy().tolist() == [0, 0, 2, 2]


def test_replacements_drop_keep_and_add():
    rule = {"x": "", "ß": "ss", "\U0001f600": "!"}
    replace = code_points.Replacements(lambda c: rule.get(c, c), others=["<>"])
    characters, rows = code_points.decode(tf.constant(["axß", "\U0001f600x"]))
    replaced, rows = replace(characters, rows)
    assert as_text(replaced) == "ass!"
    assert rows.numpy().tolist() == [0, 0, 0, 1]


def test_replacements_take_others_where_named():
    replace = code_points.Replacements(lambda c: c, others=["<>", ""])
    characters, rows = code_points.decode(tf.constant(["abc"]))
    replaced, _ = replace(characters, rows, tf.constant([-1, 0, 1]))
    assert as_text(replaced) == "a<>"


def test_split_words_marks_their_starts():
    characters, rows = code_points.decode(tf.constant(["ab  c", "d"]))
    characters, rows, starts = code_points.split_words(characters, rows)
    assert as_text(characters) == "abcd"
    assert rows.numpy().tolist() == [0, 0, 0, 1]
    assert starts.numpy().tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("is_kind", "members", "others"),
    [
        (code_points.is_white, " \t\u3000", "a\x1c\u200b"),
        (code_points.is_punctuation, "!$`~。", "a1 é"),
        (code_points.is_chinese, "日\u3400", "あ한a"),
    ],
)
def test_kinds_of_characters(is_kind, members, others):
    assert all(map(is_kind, members))
    assert not any(map(is_kind, others))


def test_spaced_puts_spaces_around_signs():
    assert code_points.spaced("a-b", code_points.is_punctuation) == "a - b"
