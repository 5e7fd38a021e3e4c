"""A phase is kept, blended or undone, as validation says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.problems.single_label import SingleLabel
from pipelines.training.guard import interpolate

CLASSES = SingleLabel("abcd")
X = np.eye(4, dtype=np.float32).repeat(10, axis=0)
LABELS = np.arange(4).repeat(10)
RIGHT = [4.0 * np.eye(4, dtype=np.float32)]
WRONG = [4.0 * np.roll(np.eye(4, dtype=np.float32), 1, axis=1)]
NAN = [np.full((4, 4), np.nan, np.float32)]


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, use_bias=False)])


@pytest.fixture
def validation():
    return tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(16)


def test_a_better_phase_is_kept(model, validation):
    result = interpolate(model, WRONG, RIGHT, validation, CLASSES)
    assert result.blend > 0.5
    assert result.gain == pytest.approx(1.0)
    assert result.accuracy == 1.0


@pytest.mark.parametrize("trained", [WRONG, NAN], ids=["worse", "not a number"])
def test_a_harmful_phase_is_undone_exactly(model, validation, trained):
    result = interpolate(model, RIGHT, trained, validation, CLASSES)
    assert result.blend == 0.0
    assert result.accuracy == 1.0
    np.testing.assert_array_equal(model.get_weights()[0], RIGHT[0])


def test_a_blend_may_beat_both_ends(model, validation):
    # Each end is wrong about other classes, the middle about none.
    one, other = 4.0 * np.eye(4), 4.0 * np.eye(4)
    one[0, 1], other[2, 3] = 6.0, 6.0
    result = interpolate(model, [one], [other], validation, CLASSES)
    assert result.blend == 0.5
    assert result.accuracy == 1.0
    assert result.gain == pytest.approx(0.25)


def test_a_gain_within_its_error_is_undone(model):
    # Of 40 examples one is won: that may be chance.
    labels = LABELS.copy()
    labels[0] = 1
    x = X.copy()
    x[0] = [1.0, 0.9, 0, 0]
    validation = tf.data.Dataset.from_tensor_slices((x, labels)).batch(40)
    trained = [RIGHT[0].copy()]
    # The others of its class are less sure then, so the loss shows nothing either.
    trained[0][0, 1] = 0.6
    result = interpolate(model, RIGHT, trained, validation, CLASSES, quarters=True)
    assert result.gain == pytest.approx(1 / 40)
    assert result.blend == 0.0
    np.testing.assert_array_equal(model.get_weights()[0], RIGHT[0])


def test_quarter_is_kept_where_only_loss_improves(model, validation):
    """All are right before and after; only by how much differs."""
    surer = [RIGHT[0] * 1.5]
    result = interpolate(model, RIGHT, surer, validation, CLASSES, quarters=True)
    assert (result.blend, result.gain) == (0.25, 0.0)
    np.testing.assert_allclose(model.get_weights()[0], RIGHT[0] * 1.125)
    undone = interpolate(model, RIGHT, surer, validation, CLASSES)
    assert undone.blend == 0.0
    np.testing.assert_array_equal(model.get_weights()[0], RIGHT[0])


def test_loss_within_its_error_keeps_nothing(model):
    # Surer of all, and wrong on two of five.
    labels = np.array([0, 1, 2, 1, 0])
    x = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 3]]
    validation = tf.data.Dataset.from_tensor_slices((x, labels)).batch(5)
    trained = [RIGHT[0] * 1.5]
    result = interpolate(model, RIGHT, trained, validation, CLASSES, quarters=True)
    assert result.blend == 0.0


@pytest.mark.parametrize(("share", "blend"), [(1.0, 1.0), (0.02, 0.0)])
def test_whole_is_all_or_nothing(model, validation, share, blend):
    trained = [(1 - share) * WRONG[0] + share * RIGHT[0]]
    result = interpolate(model, WRONG, trained, validation, CLASSES, whole=True)
    assert result.blend == blend
    kept = trained if blend else WRONG
    np.testing.assert_array_equal(model.get_weights()[0], kept[0])


def test_examples_count_by_their_weights(model):
    labels = np.array([0] * 18 + [1] * 2)
    weights = np.array([1.0] * 18 + [9.0] * 2)
    rows = np.eye(4, dtype=np.float32)[labels]
    soft = tf.data.Dataset.from_tensor_slices((rows, rows, weights)).batch(8)
    result = interpolate(model, WRONG, RIGHT, soft, CLASSES)
    assert result.accuracy == 1.0
