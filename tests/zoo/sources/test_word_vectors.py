"""Files of word vectors become backbones, and damaged ones an error with the line."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import BackboneError

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
