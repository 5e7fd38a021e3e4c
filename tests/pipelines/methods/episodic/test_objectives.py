"""Losses of episodes, by hand and by their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.methods.episodic.objectives import (
    Shown,
    by_gradient,
    head_alone,
    prototypes,
    towards_fitted,
)


@pytest.fixture
def shown():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10, 4)).astype(np.float32)
    return Shown(
        tf.constant(rows[:6]),
        tf.constant([0, 0, 0, 1, 1, 1]),
        tf.constant(rows[6:]),
        tf.constant([0, 1, 0, 1]),
        ways=2,
    )


def test_prototypes_are_the_means_of_classes(shown):
    rows, queries = shown.support.numpy(), shown.query.numpy()
    means = np.stack([rows[:3].mean(axis=0), rows[3:].mean(axis=0)])
    logits = -np.square(queries[:, None] - means).sum(axis=-1)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(shares[np.arange(4), [0, 1, 0, 1]]).mean()
    assert float(prototypes(tf.identity, shown)) == pytest.approx(expected, rel=1e-5)


def test_head_begins_at_zero_and_learns(shown):
    same = Shown(
        shown.support, shown.support_labels, shown.support, shown.support_labels, 2
    )
    assert float(head_alone(tf.identity, same)) < np.log(2)
    none = Shown(
        shown.support * 0, shown.support_labels, shown.query * 0, shown.query_labels, 2
    )
    assert float(head_alone(tf.identity, none)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("loss", [prototypes, head_alone])
def test_steps_by_gradient_lower_the_loss(shown, loss):
    scale = keras.Variable(np.eye(4, dtype=np.float32))
    optimizer = keras.optimizers.Adam(0.05)
    step = by_gradient(loss, optimizer, [scale])
    embed = lambda rows: rows @ tf.convert_to_tensor(scale)  # noqa: E731
    losses = [float(step(embed, shown)) for _ in range(30)]
    assert losses[-1] < losses[0] - 0.05


def test_reptile_goes_its_share_of_the_way(shown):
    ends = []
    for share in (0.0, 0.5, 1.0):
        scale = keras.Variable(np.eye(4, dtype=np.float32))
        part = tf.Variable(share, trainable=False)
        step = towards_fitted(0.1, part, [scale])
        step(lambda rows, scale=scale: rows @ tf.convert_to_tensor(scale), shown)
        ends.append(scale.numpy())
    np.testing.assert_array_equal(ends[0], np.eye(4))
    assert np.abs(ends[2] - ends[0]).max() > 1e-3
    np.testing.assert_allclose(ends[1], (ends[0] + ends[2]) / 2, atol=1e-6)
