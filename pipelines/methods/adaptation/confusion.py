"""Domain confusion by alternating steps of a judge of domains and of features."""

from __future__ import annotations

import tensorflow as tf

from pipelines.methods.adaptation.bottleneck import (
    begun,
    cross_entropy,
    drawn,
    optimizer_of,
    rate,
)
from pipelines.methods.adaptation.dann import discriminator, strength_at
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted
from pipelines.training.alternation import Player, alternating


def confusion(domains: Domains, settings: Settings) -> Adapted:
    """A head on features for which a judge of domains gives both the same chance.

    Of each step the first half trains the judge, and the second half the features:
    https://arxiv.org/abs/1510.02192, without soft labels.
    """
    network, judge = begun(domains, settings), discriminator(settings)

    def apart(
        xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor, weight: tf.Tensor
    ) -> tf.Tensor:
        domain = judge(tf.stop_gradient(network.hidden(tf.concat([xs, xt], 0))))
        is_source = tf.concat([tf.ones(_count(xs)), tf.zeros(_count(xt))], axis=0)
        return _mean_entropy(is_source, domain)

    def confused(
        xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor, weight: tf.Tensor
    ) -> tf.Tensor:
        hidden = network.hidden(tf.concat([xs, xt], axis=0))
        doubt = _mean_entropy(0.5 * tf.ones(_count(hidden)), judge(hidden))
        return (
            cross_entropy(ys, network.logits(hidden[: tf.shape(xs)[0]]))
            + weight * doubt
        )

    players = [
        Player(loss, variables, optimizer_of(variables))
        for loss, variables in (
            (apart, judge.trainable_variables),
            (confused, network.variables),
        )
    ]
    step = alternating(players)
    for progress, xs, ys, xt in drawn(domains, settings):
        for player in players:
            player.optimizer.learning_rate = rate(progress)
        # The judge learns first; what it gives at random is not to be learned from.
        weight = tf.constant(settings.weight * strength_at(progress), tf.float32)
        step(xs, ys, xt, weight)
    return network.adapted(domains)


def _count(rows: tf.Tensor) -> tf.Tensor:
    return tf.shape(rows)[:1]


def _mean_entropy(truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The mean cross-entropy of logits `[rows, 1]` and shares `[rows]`."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(truth, logits[:, 0]))
