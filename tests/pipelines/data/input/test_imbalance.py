"""Weights, priors and losses for classes of very different size, computed by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from pipelines.data.input.imbalance import (
    class_weights,
    log_prior,
    one_hot,
    resolve,
    weighted,
)
from pipelines.training.class_weighting import PriorInTraining, with_prior

LABELS = np.repeat([0, 1, 2], [12, 3, 1])
LOGITS = np.array([[2.0, 0.5, -1.0], [0.0, 1.0, 0.5], [1.0, -2.0, 0.3]], np.float32)
MIXED = np.array([[0.7, 0.3, 0], [0, 0.51, 0.49], [1, 0, 0]], np.float32)


def loss_of(targets, weights=None, logits=LOGITS) -> float:
    kind = keras.losses.SparseCategoricalCrossentropy
    if np.ndim(targets) == 2:
        kind = keras.losses.CategoricalCrossentropy
    return float(kind(from_logits=True)(targets, logits, sample_weight=weights))


def test_class_weights_make_every_class_count_the_same() -> None:
    weights = class_weights(LABELS, 3)
    assert weights == pytest.approx([16 / 36, 16 / 9, 16 / 3])
    assert weights[LABELS].mean() == pytest.approx(1)
    sums = np.bincount(LABELS, weights=weights[LABELS])
    assert sums == pytest.approx([16 / 3] * 3)


def test_class_weights_of_absent_class_are_zero() -> None:
    weights = class_weights(np.array([0, 0, 2]), 3)
    assert weights.tolist() == [0.75, 0, 1.5]


def test_loss_with_weights_equals_hand_computation() -> None:
    weights, labels = class_weights(LABELS, 3), np.array([0, 1, 2])
    stream = tf.data.Dataset.from_tensors((LOGITS, labels))
    ((_, y, w),) = weighted(stream, weights)
    by_hand = -(weights * np.diag(log_softmax(LOGITS, axis=1))).mean()
    assert loss_of(y, w) == pytest.approx(by_hand, rel=1e-5)
    assert by_hand != pytest.approx(loss_of(labels), rel=0.1)


def test_weights_apply_to_shares_of_soft_labels() -> None:
    weights = class_weights(LABELS, 3)
    stream = tf.data.Dataset.from_tensors((LOGITS, MIXED))
    ((_, y, w),) = weighted(stream, weights)
    by_hand = -(MIXED * weights * log_softmax(LOGITS, axis=1)).sum(1).mean()
    assert loss_of(y, w) == pytest.approx(by_hand, rel=1e-5)
    of_the_largest = weights[MIXED.argmax(1)]  # what `class_weight` of Keras does
    assert loss_of(MIXED, of_the_largest) != pytest.approx(by_hand, rel=0.05)


def test_weights_are_equal_for_numbers_and_rows() -> None:
    weights = class_weights(LABELS, 3)
    stream = tf.data.Dataset.from_tensors((LOGITS, np.array([2, 0, 1])))
    ((_, y, w),), ((_, rows, of_rows),) = (
        weighted(stream, weights),
        weighted(one_hot(stream, 3), weights),
    )
    assert loss_of(y, w) == pytest.approx(loss_of(rows, of_rows), rel=1e-6)
    assert rows.numpy().tolist() == np.eye(3)[[2, 0, 1]].tolist()


@pytest.mark.parametrize("targets", [np.array([0, 1, 2]), MIXED], ids=["hard", "soft"])
def test_loss_with_prior_equals_hand_computation(targets: np.ndarray) -> None:
    prior = log_prior(LABELS, 3)
    assert np.exp(prior) == pytest.approx([12 / 16, 3 / 16, 1 / 16])
    adjusted = PriorInTraining(prior.tolist())(LOGITS, training=True)
    shares = np.eye(3)[targets] if targets.ndim == 1 else targets
    by_hand = -(shares * log_softmax(LOGITS + prior, axis=1)).sum(1).mean()
    assert loss_of(targets, logits=adjusted) == pytest.approx(by_hand, rel=1e-5)


def test_the_prior_is_there_in_training_only() -> None:
    inputs = keras.Input([3])
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    trained = with_prior(model, log_prior(LABELS, 3))
    used = model(LOGITS, training=False).numpy()
    assert (trained(LOGITS, training=False).numpy() == used).all()
    shift = trained(LOGITS, training=True).numpy() - used
    assert shift == pytest.approx(np.tile(log_prior(LABELS, 3), (3, 1)), abs=1e-5)
    assert [id(v) for v in trained.weights] == [id(v) for v in model.weights]


@pytest.mark.parametrize(
    ("sizes", "wanted"), [((10, 1), "prior_correction"), ((9, 1), "none")]
)
def test_auto_corrects_from_ten_times_as_many(sizes, wanted) -> None:
    labels = np.repeat([0, 1], sizes)
    assert resolve("auto", labels, 2) == wanted
    for choice in ("none", "weights", "sampling", "prior_correction"):
        assert resolve(choice, labels, 2) == choice


def test_weights_of_examples_and_classes_are_factors():
    own = np.resize([2, 1, 0, 3], len(LABELS)).astype(np.float32)
    own /= own.mean()
    weights = class_weights(LABELS, 3, own)
    totals = np.bincount(LABELS, own * weights[LABELS], minlength=3)
    present = totals[totals > 0]
    np.testing.assert_allclose(present, present[0], rtol=1e-5)
    batch = tf.data.Dataset.from_tensors((LABELS, LABELS, own))
    _, _, both = next(iter(weighted(batch, weights)))
    np.testing.assert_allclose(both, own * weights[LABELS], rtol=1e-6)
    shares = np.exp(log_prior(LABELS, 3, own))
    expected = np.bincount(LABELS, own, minlength=3) / len(LABELS)
    np.testing.assert_allclose(shares, expected, rtol=1e-5)
