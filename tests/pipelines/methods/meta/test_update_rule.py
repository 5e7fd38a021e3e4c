import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import ConfigError
from pipelines.methods.meta.update_rule import (
    STATE_WIDTH,
    decoded,
    new_rule,
    update_of,
)


def test_encoded_is_read_bit_for_bit():
    rule = new_rule(3)
    for before, after in zip(rule.weights, decoded(rule.encoded()).weights):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", "A"])
def test_other_text_is_refused(text):
    with pytest.raises(ConfigError, match=r"LearnedOptimizer\.load|with this version"):
        decoded(text)


def test_shapes_and_numbers_are_checked():
    rule = new_rule(0)
    with pytest.raises(ConfigError, match="have the shapes"):
        dataclasses.replace(rule, weights=rule.weights[:-1])
    broken = (*rule.weights[:-1], np.array([np.nan], np.float32))
    with pytest.raises(ConfigError, match="not finite"):
        dataclasses.replace(rule, weights=broken)


def test_coordinates_do_not_see_each_other():
    weights = new_rule(0).weights
    gradient = tf.constant([0.0, 1e-30, -2.0, 1e30])
    state = tf.random.stateless_normal([4, STATE_WIDTH], seed=(0, 0))
    step, after = update_of(weights, gradient, state)
    alone, after_alone = update_of(weights, gradient[2:3], state[2:3])
    np.testing.assert_allclose(step[2:3], alone, rtol=1e-5)
    np.testing.assert_allclose(after[2:3], after_alone, rtol=1e-5)
    assert np.isfinite(step).all()
    assert len(set(step.numpy())) == 4


def test_layers_are_lstms_of_keras():
    import keras

    weights = new_rule(1).weights
    cell = keras.layers.LSTMCell(20)
    cell.build((None, 2))
    cell.set_weights([weights[0][:2], weights[0][2:], weights[1]])
    # A gradient of 1 has the logarithm 0 and the sign 1.
    _, (output, memory) = cell(tf.constant([[0.0, 1.0]]), [tf.zeros((1, 20))] * 2)
    _, state = update_of(weights, tf.constant([1.0]), tf.zeros((1, STATE_WIDTH)))
    np.testing.assert_allclose(state[:, :20], output, atol=1e-6)
    np.testing.assert_allclose(state[:, 20:40], memory, atol=1e-6)
