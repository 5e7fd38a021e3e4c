"""Files of word vectors become backbones, and damaged ones an error with the line."""

import dataclasses
import gzip

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import BackboneError
from zoo.tokenization import words
from zoo.weights import vectors_file

PLAIN = "the 1 0 0.5\ncat 0 2 -1e-1\nsat 0.25 0 3\n, 0 0 7\n"
ROWS = np.array([[1, 0, 0.5], [0, 2, -0.1], [0.25, 0, 3], [0, 0, 7]], np.float32)
NAMES = ("the", "cat", "sat", ",")


@pytest.fixture
def write(tmp_path):
    def write(content, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("glove.txt", PLAIN.encode()),
            ("no_end.txt", PLAIN.rstrip().encode()),
            ("fasttext.vec", b"4 3\n" + PLAIN.replace("\n", " \n").encode()),
            ("windows.txt", PLAIN.replace("\n", "\r\n").encode()),
            ("tabs.tsv", PLAIN.replace(" ", "\t").encode()),
            ("glove.txt.gz", gzip.compress(PLAIN.encode())),
            ("fasttext.vec.gz", gzip.compress(b"4 3\n" + PLAIN.encode())),
        ],
    )
    def test_every_form_gives_the_same(self, write, name, content):
        path = write(content, name)
        found = vectors_file.read_word_vectors(path)
        assert found.words == NAMES == vectors_file.read_words(path)
        np.testing.assert_array_equal(found.vectors, ROWS)
        assert found.vectors.dtype == np.float32

    def test_words_of_the_web(self, write):
        """GloVe has words with spaces, and words that are numbers."""
        found = vectors_file.read_word_vectors(
            write("a 1 2\n. . . 3 4\nat x@y.z 5 6\n7 8 9\nb\u00a0c 1 1\n\u0085 2 2\n")
        )
        assert found.words == ("a", ". . .", "at x@y.z", "7", "b\u00a0c", "\u0085")
        assert found.vectors[:4].tolist() == [[1, 2], [3, 4], [5, 6], [8, 9]]

    def test_a_first_word_that_is_a_number_is_no_header(self, write):
        found = vectors_file.read_word_vectors(write("7 0.5\n8 0.25\n"))
        assert found.words == ("7", "8")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("a 1 2\nb 1\n", "Line 2 of .* has 1 numbers, expected 2"),
            ("a 1 2\nb 1 2 3\n", "Line 2 of .* has 3 numbers, expected 2"),
            ("2 3\na 1 2\nb 1 2\n", "Line 2 of .* has 2 numbers, expected 3"),
            ("a 1 2\nb 1 x\n", "Line 2 of .* has 'x' where a number was expected"),
            ("a 1 2\nb 1 nan\n", "Line 2 of .* not finite"),
            ("a 1 2\nb 1 1e99\n", "Line 2 of .* not finite"),
            ("a 1 2\nb 1 2\na 3 4\n", "Line 3 of .* has 'a', as has line 1"),
            ("a 1 2\n\nb 1 2\n", "Line 2 of .* has 0 numbers, expected 2"),
            ("a 1 2\n 1 2\n", "Line 2 of .* has no word"),
            ("word\n", "Line 1 of .* has no numbers"),
            ("3 2\na 1 2\nb 1 2\n", "says .* 3 words, but it has 2. It was cut"),
            ("1 2\na 1 2\nb 1 2\n", "says .* 1 words, but it has 2"),
            ("", "no word vectors"),
            ("3 2\n", "no word vectors"),
            (b"a 1 2\n\xff 1 2\n", "Line 2 of .* is not UTF-8"),
            (b"\0" * (2 << 20), "Line 1 of .* is longer than 1,048,576 bytes"),
        ],
    )
    def test_a_damaged_file_names_the_line(self, write, content, message):
        with pytest.raises(BackboneError, match=message):
            vectors_file.read_word_vectors(write(content))

    @pytest.mark.parametrize("kept", [5, 20, -4])
    def test_a_packed_file_that_was_cut(self, write, kept):
        whole = gzip.compress(PLAIN.encode())
        assert vectors_file.read_words(write(whole, "whole.gz")) == NAMES
        with pytest.raises(BackboneError, match="cannot be unpacked"):
            vectors_file.read_words(write(whole[:kept], "cut.gz"))

    def test_a_file_that_is_no_packed_one(self, write):
        with pytest.raises(BackboneError, match="cannot be unpacked: Not a gzipped"):
            vectors_file.read_words(write(PLAIN, "vectors.txt.gz"))

    def test_no_file(self, tmp_path):
        with pytest.raises(BackboneError, match="cannot be read: No such file"):
            vectors_file.read_words(tmp_path / "none.txt")

    def test_a_file_that_is_too_large(self, write, monkeypatch):
        monkeypatch.setattr(vectors_file, "_MAXIMUM_BYTES", 3 * 12)
        with pytest.raises(BackboneError, match="Line 4 of .* more than 36 bytes"):
            vectors_file.read_word_vectors(write(PLAIN))
        monkeypatch.setattr(vectors_file, "_MAXIMUM_BYTES", 4 * 12)
        assert len(vectors_file.read_word_vectors(write(PLAIN)).words) == 4


def _ids(names, texts, *, length=6):
    return words.from_words(names, length=length)(tf.constant(texts)).numpy().tolist()


class TestTokens:
    def test_words_and_signs_by_their_number(self):
        assert _ids(NAMES, ["the cat, sat"]) == [[1, 2, 4, 3, 0, 0]]
        assert _ids(NAMES, ["The\tCAT\u3000SAT\u200b"]) == [[1, 2, 3, 0, 0, 0]]

    def test_unknown_words_take_no_place(self):
        found = _ids(NAMES, ["the dog sat", "dogs", "", "thecat th"])
        assert found == [[1, 3, 0, 0, 0, 0], [0] * 6, [0] * 6, [0] * 6]

    def test_case_is_kept_where_the_list_has_it(self):
        assert _ids(("Polish", "polish"), ["polish Polish POLISH"], length=3) == [
            [2, 1, 0]
        ]

    def test_cut_after_the_length(self):
        assert _ids(NAMES, ["the cat " * 9], length=3) == [[1, 2, 1]]

    def test_bytes_that_are_no_utf8(self):
        assert _ids(NAMES, [b"\xffcat \xc3", b"sat"], length=2) == [[2, 0], [3, 0]]

    def test_an_empty_batch(self):
        layer = words.from_words(NAMES, length=3)
        assert layer(tf.constant([], tf.string)).shape == (0, 3)

    def test_long_words(self):
        """A longer word than any of the list is unknown, and no word is its start."""
        long = "a" * 300
        assert _ids((long, "b"), [f"{long} b", f"{long}a b"], length=2) == [
            [1, 2],
            [2, 0],
        ]

    def test_a_large_list(self):
        names = [f"w{number}" for number in range(50_000)]
        texts = [f"w{n} x{n} w{n + 50_000} w{49_999 - n}" for n in range(0, 50_000, 7)]
        expected = [[n + 1, 50_000 - n] for n in range(0, 50_000, 7)]
        assert _ids(names, texts, length=2) == expected


class TestBackbone:
    TEXTS = ("the cat sat", "a dog", "Cat, the")

    def test_features_are_the_vectors(self, write):
        backbone = zoo.build("word_vectors", handle=write(PLAIN), input_length=4)
        features = backbone.model(tf.constant(self.TEXTS)).numpy()
        expected = np.zeros((3, 4, 3), np.float32)
        expected[0, :3] = ROWS[[0, 1, 2]]
        expected[2, :3] = ROWS[[1, 3, 0]]
        np.testing.assert_array_equal(features, expected)

    def test_row_and_network_agree(self, write):
        backbone = zoo.build("word_vectors", handle=write(PLAIN))
        spec = backbone.spec
        assert spec.modality == "text"
        assert spec.feature_width == backbone.model.output.shape[-1] == 3
        assert spec.parameters == backbone.model.count_params() == 15
        assert spec.input.tokenizer.size == 5
        assert [block.name for block in backbone.blocks] == ["embedding"]
        assert backbone.input_length == spec.input.default_length_tokens

    def test_padding_does_not_learn(self, write):
        backbone = zoo.build("word_vectors", handle=write(PLAIN), input_length=4)
        pooled = keras.layers.GlobalAveragePooling1D()(backbone.model.output)
        model = keras.Model(backbone.model.input, keras.layers.Dense(1)(pooled))
        model.compile("sgd", "mse")
        texts = tf.constant(self.TEXTS)
        model.fit(texts, np.ones((3, 1)), epochs=2, verbose=0)
        (table,) = backbone.model.weights
        assert not table.numpy()[0].any()
        assert np.abs(table.numpy()[1:] - ROWS).max() > 1e-3
        assert not backbone.model(texts).numpy()[1].any()

    def test_a_row_of_the_user(self, write):
        path = write(PLAIN)
        spec = zoo.build("word_vectors", handle=path).spec
        zoo.register(dataclasses.replace(spec, name="my_words"))
        try:
            backbone = zoo.build("my_words", input_length=2)
            features = backbone.model(tf.constant(["sat"])).numpy()
            np.testing.assert_array_equal(features[0], [ROWS[2], [0, 0, 0]])
            path.write_text(PLAIN + "mat 1 1 1\n")
            with pytest.raises(
                BackboneError, match="5 words of width 3, .* 'my_words'"
            ):
                zoo.build("my_words")
        finally:
            zoo.unregister("my_words")

    def test_a_saved_model_needs_no_file(self, write, tmp_path):
        path = write(PLAIN)
        model = zoo.build("word_vectors", handle=path, input_length=4).model
        expected = model(tf.constant(self.TEXTS)).numpy()
        model.save(tmp_path / "model.keras")
        model.export(tmp_path / "exported", verbose=False)
        path.unlink()
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(tf.constant(self.TEXTS)), expected)
        serve = tf.saved_model.load(tmp_path / "exported")
        (served,) = serve.signatures["serving_default"](
            text=tf.constant(self.TEXTS)
        ).values()
        np.testing.assert_array_equal(served, expected)

    def test_a_damaged_file(self, write):
        with pytest.raises(BackboneError, match="Line 2"):
            zoo.build("word_vectors", handle=write("a 1 2\nb 1\n"))
