"""Two replicas drop from their rows what one device drops from the whole batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.training.distributed.dropout import noise_of_batch

ROWS = np.ones((4, 6), np.float32)


@pytest.mark.parametrize(
    "layer", [keras.layers.Dropout(0.5, seed=3), keras.layers.GaussianDropout(0.5)]
)
def test_rows_of_replicas_are_those_of_one_device(layer):
    model = keras.Sequential([keras.Input((6,)), layer])
    (state,) = [v for v in model.variables if "seed" in v.path]
    start = np.array(state)
    whole = model(ROWS, training=True)
    parts = []
    for replica in range(2):
        state.assign(start)
        with noise_of_batch(model, replica=tf.constant(replica), replicas=2):
            parts.append(model(ROWS[:2], training=True))
    np.testing.assert_allclose(np.concatenate(parts), whole)
    assert not np.array_equal(parts[0], parts[1])


def test_outside_of_training_nothing_is_dropped():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.5)])
    with noise_of_batch(model, replica=tf.constant(0), replicas=2):
        np.testing.assert_array_equal(model(ROWS, training=False), ROWS)


def test_layers_are_as_before_afterwards():
    layer = keras.layers.Dropout(0.5)
    model = keras.Sequential([keras.Input((6,)), layer])
    with noise_of_batch(model, replica=tf.constant(0), replicas=2):
        assert "call" in layer.__dict__
    assert "call" not in layer.__dict__
