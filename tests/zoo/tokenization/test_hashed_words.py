"""Words become ids by a hash, the same in every process."""

import tensorflow as tf

from zoo.spec import Tokenizer
from zoo.tokenization.hashed_words import HashedWords, layer


def test_ids_ignore_case_and_signs():
    ids = HashedWords(size=1000, length=3)(tf.constant(["The cat!", "the CAT"]))
    assert ids.dtype == tf.int32
    first, second = ids.numpy()
    assert first.tolist() == second.tolist()
    assert (first[:2] >= 1).all()
    assert (first[:2] < 1000).all()
    assert first[2] == 0


def test_texts_are_cut_and_bad_bytes_pass():
    ids = HashedWords(size=50, length=2)(tf.constant([b"a b c d", b"\xff", b""]))
    assert ids.shape == (3, 2)
    assert ids.numpy()[2].tolist() == [0, 0]


def test_layer_comes_back_from_its_config():
    made = layer(Tokenizer(kind="hashed_words", size=50), 4, None)
    again = HashedWords.from_config(made.get_config())
    texts = tf.constant(["some words here"])
    assert (made(texts).numpy() == again(texts).numpy()).all()
