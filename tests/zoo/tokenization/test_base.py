"""Ids are cut and padded to rows, and vocabularies travel as text."""

import pytest
import tensorflow as tf

from zoo.errors import BackboneError
from zoo.spec import Tokenizer
from zoo.tokenization import base

IDS, ROWS = tf.constant([5, 6, 7, 8]), tf.constant([0, 0, 0, 2])


def test_to_rows_cuts_and_pads():
    rows, filled = base.to_rows(IDS, ROWS, tf.constant(3), length=2)
    assert rows.numpy().tolist() == [[5, 6], [0, 0], [8, 0]]
    assert filled.numpy().tolist() == [2, 0, 1]


def test_between_never_cuts_the_last_mark():
    marked = base.between(IDS, ROWS, tf.constant(3), first=1, last=2, length=4)
    assert marked.numpy().tolist() == [[1, 5, 6, 2], [1, 2, 0, 0], [1, 8, 2, 0]]


def test_pack_is_undone_by_unpack():
    vocabulary = bytes(range(256)) * 9
    packed = base.pack(vocabulary)
    assert packed.isascii()
    assert base.unpack(packed) == vocabulary


def test_read_vocabulary_needs_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes(b"a\nb")
    tokenizer = Tokenizer(kind="wordpiece", size=2)
    assert base.read_vocabulary(tokenizer, path) == b"a\nb"
    with pytest.raises(BackboneError, match="'wordpiece' reads a vocabulary, but"):
        base.read_vocabulary(tokenizer, None)
