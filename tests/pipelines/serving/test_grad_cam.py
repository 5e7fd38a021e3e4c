"""Grad-CAM in the graph: against the formula by hand, and against where a thing is."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipelines.calibration.calibration import uncalibrated
from pipelines.calibration.labels import LabelCalibration
from pipelines.problems import label_answers
from pipelines.serving.grad_cam import grad_cam
from pipelines.serving.signatures import EXPLAIN, explanation, signatures

SIZE, CELLS = 24, 6
NAMES = ("dark", "red", "blue")
UNCALIBRATED = uncalibrated(3, reason="a test")


@pytest.fixture(scope="module")
def spotter() -> tuple[keras.Model, keras.KerasTensor]:
    """A network that knows red from blue spots, also by what an earlier block saw.

    Its map has the red, the green and the blue of 6x6 cells; the head averages it.
    """
    given = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="pixels")
    early = layers.Rescaling(1 / 255)(given)
    cells = layers.AveragePooling2D(SIZE // CELLS)(early)
    averages = [layers.GlobalAveragePooling2D()(one) for one in (early, cells)]
    features = layers.Concatenate()(averages)
    logits = layers.Dense(3, name="logits")
    model = keras.Model(given, [logits(features), features])
    kernel = np.zeros((6, 3), np.float32)
    kernel[[0, 3], 1] = kernel[[2, 5], 2] = 50
    kernel[[2, 5], 1] = kernel[[0, 3], 2] = -50
    logits.set_weights([kernel, np.array([0.5, 0, 0], np.float32)])
    return model, cells


def spot(row: int, column: int, channel: int) -> np.ndarray:
    """Black, with a spot of one colour in one cell."""
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    step = SIZE // CELLS
    pixels[
        row * step : (row + 1) * step, column * step : (column + 1) * step, channel
    ] = 255
    return pixels


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 4), (5, 5)])
@pytest.mark.parametrize(("channel", "label"), [(0, 1), (2, 2)])
def test_heat_is_where_the_thing_is(spotter, row, column, channel, label):
    model, cells = spotter
    look = explanation(model, cells, UNCALIBRATED)
    other = spot(5 - row, column, 2 - channel) // 2  # speaks for the other class
    heat, likeliest = look(tf.constant([spot(row, column, channel) + other]))
    assert likeliest.numpy().tolist() == [label]
    wanted = np.zeros((1, CELLS, CELLS))
    wanted[0, row, column] = 1
    np.testing.assert_allclose(heat, wanted, atol=1e-6)


def test_heat_is_the_formula_of_the_paper():
    """Written out in numpy for a head of two layers, whose gradient depends on x."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4, 3, 5, 7)).astype(np.float32)
    first, second = (
        rng.normal(size=shape).astype(np.float32) for shape in ((7, 9), (9,))
    )

    @tf.function
    def run(x):
        pooled = tf.reduce_mean(x, axis=[1, 2])
        score = tf.linalg.matvec(tf.nn.relu(pooled @ first), second)
        return grad_cam(score, x)

    alive = (features.mean(axis=(1, 2)) @ first) > 0
    weights = (alive * second) @ first.T / 15
    heat = np.maximum(np.einsum("bhwc,bc->bhw", features, weights), 0)
    heat /= heat.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(run(tf.constant(features)), heat, atol=1e-5)


def test_nothing_is_hot_without_evidence():
    @tf.function
    def run(x):
        return grad_cam(-tf.reduce_mean(x, axis=[1, 2, 3]), x)

    heat = run(tf.ones([2, 3, 3, 4]))
    np.testing.assert_array_equal(heat, np.zeros((2, 3, 3)))


def test_every_label_has_heat_where_it_is(spotter):
    model, cells = spotter
    labels = LabelCalibration((1.0,) * 3, (0.5,) * 3, 0, 0.0, None, "")
    answers = label_answers.graph_answers(labels, NAMES)
    explain = signatures(
        model,
        class_names=NAMES,
        calibration=labels,
        feature_map=cells,
        answers=answers,
    )[EXPLAIN]
    both = tf.io.encode_png(spot(0, 1, 0) + spot(4, 3, 2)).numpy()
    answer = explain({"image_bytes": tf.constant([both, b"bad"])})
    assert set(answer) == {"heat_map"}
    heat = answer["heat_map"].numpy()
    assert heat.shape == (2, 3, CELLS, CELLS)
    hottest = heat[0].reshape(3, -1).argmax(axis=1)
    assert hottest[1:].tolist() == [1, 4 * CELLS + 3]
    assert heat[0, 0].max() == 0  # nothing speaks for dark
    assert heat[1].max() == 0
    empty = explain({"image_bytes": tf.constant([], tf.string)})
    assert empty["heat_map"].shape == (0, 3, CELLS, CELLS)


@pytest.fixture(scope="module")
def serve(spotter):
    """The signature that explains."""
    model, cells = spotter
    return signatures(
        model, class_names=NAMES, calibration=UNCALIBRATED, feature_map=cells
    )[EXPLAIN]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_batches_are_explained_and_bad_images_cold(serve, count):
    encoded = [tf.io.encode_png(spot(1, i % 3, 2)).numpy() for i in range(count)]
    found = serve({"image_bytes": tf.constant([*encoded, b"bad"][: count + 1])})
    assert found["heat_map"].dtype == tf.float32
    assert found["heat_map"].shape == (count + 1, CELLS, CELLS)
    assert found["label"].numpy().tolist() == [b"blue"] * count + [b""]
    hottest = found["heat_map"].numpy().reshape(count + 1, -1)
    assert hottest[:-1].argmax(axis=1).tolist() == [6 + i % 3 for i in range(count)]
    assert hottest[-1].max() == 0
    empty = serve({"image_bytes": tf.constant([], tf.string)})
    assert empty["heat_map"].shape == (0, CELLS, CELLS)


def test_explanation_is_there_only_if_asked(spotter):
    found = signatures(spotter[0], class_names=NAMES, calibration=UNCALIBRATED)
    assert EXPLAIN not in found
