"""Steps in which several players learn in turn, each by a loss of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class Player:
    """What a player learns: its weights, and a loss of a batch that it lowers.

    The loss may read the weights of others, which do not move by it.
    """

    loss: Callable[..., tf.Tensor]
    variables: Sequence[Any]
    optimizer: Any


def alternating(players: Sequence[Player]) -> Callable[..., list[tf.Tensor]]:
    """A step for a batch: each player in turn sees what those before it learned.

    It is given tensors, and hands them to every loss; it gives the losses back.
    """
    for player in players:
        player.optimizer.build(player.variables)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(*batch: tf.Tensor) -> list[tf.Tensor]:
        values = []
        for player in players:
            with tf.GradientTape() as tape:
                value = player.loss(*batch)
            slopes = tape.gradient(value, player.variables)
            player.optimizer.apply_gradients(zip(slopes, player.variables))
            values.append(value)
        return values

    return step
