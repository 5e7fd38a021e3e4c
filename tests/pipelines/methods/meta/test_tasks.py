import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import ConfigError, DataError
from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.meta.tasks import draw_tasks, gradient_of, halves, loss_of


def drawn(parts, tasks, seed):
    return draw_tasks(parts[0].labels, tasks, width=6, steps=3, count=2, seed=seed)


def test_halves_share_no_class_and_no_outlier(parts):
    seen, held_out = (set(part.labels) for part in parts)
    assert len(seen) == len(held_out) == 3
    assert not seen & held_out
    assert max(np.abs(part.features).max() for part in parts) <= 3


def test_fewer_classes_than_two_tasks_are_refused(read, tasks):
    episode = dataclasses.replace(tasks.episode, ways=4)
    with pytest.raises(
        DataError, match=r"data has 6 classes.*4 classes take 8.*most 3"
    ):
        halves(read, episode, where="data")


def test_more_shots_than_a_class_has_are_refused(read, tasks):
    episode = dataclasses.replace(tasks.episode, shots=12)
    with pytest.raises(DataError, match="use fewer shots or queries"):
        halves(read, episode, where="data")


@pytest.mark.parametrize(("field", "value"), [("ways", 1), ("shots", 0)])
def test_impossible_episodes_are_refused(tasks, field, value):
    episode = dataclasses.replace(tasks.episode, **{field: value})
    with pytest.raises(ConfigError, match=f"{field} is {value}; allowed"):
        dataclasses.replace(tasks, episode=episode).check()
    with pytest.raises(ConfigError, match="batch is 0; allowed"):
        dataclasses.replace(tasks, batch=0).check()


def test_tasks_follow_their_seed_and_keep_queries_apart(parts, tasks):
    first, again, other = (
        drawn(parts, tasks, seed) for seed in ((0, 1), (0, 1), (0, 2))
    )
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(
            getattr(first, field.name), getattr(again, field.name)
        )
    assert (first.start != other.start).any()
    assert first.batches.shape == (3, 2, 4)
    assert first.start.shape == (2, 7, 2)
    for task in range(2):
        assert not set(first.batches[:, task].ravel()) & set(first.queries[task])
        classes = parts[0].labels[first.queries[task]]
        for place in (0, 1):
            assert len(set(classes[first.query_labels[task] == place])) == 1


def test_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    heads = tf.Variable(rng.normal(size=(2, 5, 3)))
    rows, labels = (
        tf.constant(rng.normal(size=(2, 6, 4))),
        tf.constant([[0, 1, 2] * 2] * 2),
    )
    heads, rows = (tf.cast(part, tf.float32) for part in (heads, rows))
    with tf.GradientTape() as tape:
        tape.watch(heads)
        loss = loss_of(heads, rows, labels)
    expected = tape.gradient(loss, heads)
    np.testing.assert_allclose(gradient_of(heads, rows, labels), expected, atol=1e-6)


def test_halves_of_constant_features_are_finite(tasks):
    flat = Examples(np.ones((72, 2), np.float32), np.repeat(np.arange(6), 12))
    assert all(
        np.isfinite(part.features).all()
        for part in halves(flat, tasks.episode, where="data")
    )
