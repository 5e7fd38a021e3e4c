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


def confusion(domains: Domains, settings: Settings) -> Adapted:
    """A head on features for which a judge of domains gives both the same chance.

    Of each step the first half trains the judge, and the second half the features:
    https://arxiv.org/abs/1510.02192, without soft labels.
    """
    network, judge = begun(domains, settings), discriminator(settings)
    of_judge = optimizer_of(judge.trainable_variables)
    of_network = optimizer_of(network.variables)

    @tf.function(reduce_retracing=True)
    def step(xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor, weight: tf.Tensor) -> None:
        both = tf.concat([xs, xt], axis=0)
        is_source = tf.concat([tf.ones(len(xs)), tf.zeros(len(xt))], axis=0)
        with tf.GradientTape() as tape:
            domain = judge(tf.stop_gradient(network.hidden(both)))[:, 0]
            apart = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(is_source, domain)
            )
        slopes = tape.gradient(apart, judge.trainable_variables)
        of_judge.apply_gradients(zip(slopes, judge.trainable_variables))
        with tf.GradientTape() as tape:
            hidden = network.hidden(both)
            doubt = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(
                    0.5 * tf.ones_like(is_source), judge(hidden)[:, 0]
                )
            )
            own = network.logits(hidden[: len(xs)])
            value = cross_entropy(ys, own) + weight * doubt
        slopes = tape.gradient(value, network.variables)
        of_network.apply_gradients(zip(slopes, network.variables))

    for progress, xs, ys, xt in drawn(domains, settings):
        of_judge.learning_rate = of_network.learning_rate = rate(progress)
        # The judge learns first; what it gives at random is not to be learned from.
        weight = tf.constant(settings.weight * strength_at(progress), tf.float32)
        step(xs, ys, xt, weight)
    return network.adapted(domains)
