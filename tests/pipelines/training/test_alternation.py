"""Players in turn: each sees what those before it learned."""

import keras
import pytest
import tensorflow as tf

from pipelines.training.alternation import Player, alternating


def test_players_move_their_weights_and_see_moves():
    a, b = keras.Variable(1.0), keras.Variable(0.0)
    step = alternating(
        [
            Player(lambda x: (a - x) ** 2, [a], keras.optimizers.SGD(0.5)),
            Player(lambda x: (b - a) ** 2, [b], keras.optimizers.SGD(0.5)),
        ]
    )
    losses = step(tf.constant(3.0))
    # With half of the slope as a step each is at once where its loss is 0.
    assert [float(a), float(b)] == [3.0, 3.0]
    assert [float(loss) for loss in losses] == [4.0, 9.0]


def test_loss_of_other_weights_is_an_error():
    a, b = keras.Variable(1.0), keras.Variable(2.0)
    step = alternating([Player(lambda x: a * x, [b], keras.optimizers.SGD(0.5))])
    with pytest.raises(ValueError, match="gradient"):
        step(tf.constant(1.0))
