"""Another engine is used where it gives the same, and nowhere else."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.features import engines
from pipelines.features.block_vectors import vectors_of
from pipelines.features.extract import extract
from pipelines.stages.base import freeze_base

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


def test_openvino_gives_the_same_as_tensorflow(model, caplog):
    found = extract(model, batches())
    assert "using OpenVINO" in caplog.text
    assert [one.shape for one in found] == [(20, i + 1) for i in range(12)]
    for ours, wanted in zip(found, model.predict(ROWS, verbose=0)):
        np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_compiling_restores_the_root_logger(model):
    root = logging.getLogger()
    before = root.level, list(root.handlers), list(root.filters)
    extract(model, batches())
    assert (root.level, root.handlers, root.filters) == before


def test_openvino_is_not_used_if_it_differs(model, caplog, monkeypatch):
    monkeypatch.setattr(engines, "_LEAST_BATCHES", 1000)
    wanted = extract(model, batches())
    assert not caplog.text
    monkeypatch.setattr(engines, "_LEAST_BATCHES", 2)
    monkeypatch.setattr(engines, "_TOLERANCE", -1.0)
    found = extract(model, batches())
    assert "using TensorFlow" in caplog.text
    for ours, plain in zip(found, wanted):
        np.testing.assert_array_equal(ours, plain)


def test_a_network_without_conversion_stays_in_tensorflow(caplog):
    given = keras.Input((6,))

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.layers.Layer):
        def call(self, x):
            doubled = tf.numpy_function(lambda rows: 2 * rows, [x], tf.float32)
            return tf.ensure_shape(doubled, x.shape)

    (found,) = extract(keras.Model(given, Own()(given)), batches())
    assert "cannot convert" in caplog.text
    np.testing.assert_array_equal(found, 2 * ROWS)


def test_few_batches_and_texts_stay_in_tensorflow(monkeypatch):
    numbers = tf.TensorSpec([None, 6], tf.float32)
    texts = tf.TensorSpec([None], tf.string)
    assert engines.is_worth_a_try(numbers, 2)
    assert not engines.is_worth_a_try(numbers, 1)
    assert not engines.is_worth_a_try(texts, 1000)


@pytest.mark.parametrize(("side", "least"), [(64, 8), (128, 2), (182, 1)])
def test_larger_images_need_fewer_batches_for_openvino(side, least):
    images = tf.TensorSpec([None, side, side, 3], tf.uint8)
    assert engines.is_worth_a_try(images, least)
    assert not engines.is_worth_a_try(images, least - 1)


def test_a_network_with_all_outputs_converts(caplog):
    """An op that cannot would cost the conversion, each time, and gain nothing."""
    base = freeze_base(zoo.build("efficientnet_lite0", weights=None, input_size_px=64))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype("uint8")
    given = tf.data.Dataset.from_tensor_slices((pixels, np.arange(4))).batch(1)
    model = keras.Model(base.model.input, list(vectors_of(base).values()))
    extract(model, given.repeat(2))
    assert "using OpenVINO" in caplog.text
