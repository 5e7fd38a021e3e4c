"""Another engine is used where it gives the same, and nowhere else."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.planning import engines
from pipelines.planning.features import extract

pytest.importorskip("openvino", reason="the extra openvino is not installed")

ROWS = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


@pytest.fixture
def model():
    """More outputs than ten, each of another width, so that their order shows."""
    keras.utils.set_random_seed(0)
    given = keras.Input((6,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(8)(given))
    return keras.Model(given, [keras.layers.Dense(i + 1)(hidden) for i in range(12)])


@pytest.fixture(autouse=True)
def eager_to_change(monkeypatch, caplog):
    monkeypatch.setattr(engines, "_LEAST_BATCHES", 2)
    caplog.set_level(logging.INFO, logger="zootune")


def batches(size=8):
    labels = np.zeros(len(ROWS), np.int64)
    return tf.data.Dataset.from_tensor_slices((ROWS, labels)).batch(size)


def test_what_it_gives_is_what_tensorflow_gives(model, caplog):
    found = extract(model, batches())
    assert "does the rest" in caplog.text
    assert [one.shape for one in found] == [(20, i + 1) for i in range(12)]
    for ours, wanted in zip(found, model.predict(ROWS, verbose=0)):
        np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_logging_is_as_it_was(model):
    root = logging.getLogger()
    before = root.level, list(root.handlers), list(root.filters)
    extract(model, batches())
    assert (root.level, root.handlers, root.filters) == before


def test_where_it_differs_it_is_not_used(model, caplog, monkeypatch):
    monkeypatch.setattr(engines, "_LEAST_BATCHES", 1000)
    wanted = extract(model, batches())
    assert not caplog.text
    monkeypatch.setattr(engines, "_LEAST_BATCHES", 2)
    monkeypatch.setattr(engines, "_TOLERANCE", -1.0)
    found = extract(model, batches())
    assert "and is not used" in caplog.text
    for ours, plain in zip(found, wanted):
        np.testing.assert_array_equal(ours, plain)


def test_what_it_cannot_convert_is_left_to_tensorflow(caplog):
    given = keras.Input((6,))

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.layers.Layer):
        def call(self, x):
            doubled = tf.numpy_function(lambda rows: 2 * rows, [x], tf.float32)
            return tf.ensure_shape(doubled, x.shape)

    (found,) = extract(keras.Model(given, Own()(given)), batches())
    assert "cannot convert" in caplog.text
    np.testing.assert_array_equal(found, 2 * ROWS)


def test_few_batches_and_texts_are_left_to_tensorflow(monkeypatch):
    numbers = tf.TensorSpec([None, 6], tf.float32)
    texts = tf.TensorSpec([None], tf.string)
    assert engines.is_worth_a_try(numbers, 2)
    assert not engines.is_worth_a_try(numbers, 1)
    assert not engines.is_worth_a_try(texts, 1000)
