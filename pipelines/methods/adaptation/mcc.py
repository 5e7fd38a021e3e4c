"""Minimum class confusion: answers on the target are made to confuse fewer classes."""

from __future__ import annotations

import tensorflow as tf

from pipelines.methods.adaptation.bottleneck import begun, cross_entropy, train
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted

# Of https://arxiv.org/abs/1912.03699.
_TEMPERATURE = 2.5
_TINY = 1e-5


def mcc(domains: Domains, settings: Settings) -> Adapted:
    """A head that is trained on the source, with little class confusion on the target.

    https://arxiv.org/abs/1912.03699.
    """
    network = begun(domains, settings)

    def loss(xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor) -> tf.Tensor:
        confusion = class_confusion(network.answers(xt))
        return cross_entropy(ys, network.answers(xs)) + settings.weight * confusion

    train(loss, network.variables, domains, settings)
    return network.adapted(domains)


def class_confusion(logits: tf.Tensor) -> tf.Tensor:
    """The mean share of a class's correlation that is with other classes.

    Rows `[rows, classes]` that are sure count more. 0 where none is confused.
    """
    p = tf.nn.softmax(logits / _TEMPERATURE)
    entropy = -tf.reduce_sum(p * tf.math.log(p + _TINY), axis=1)
    sure = tf.stop_gradient(1 + tf.exp(-entropy))
    weights = sure / tf.reduce_sum(sure) * tf.cast(len(p), p.dtype)
    correlation = tf.transpose(p * weights[:, None]) @ p
    shares = correlation / tf.reduce_sum(correlation, axis=1, keepdims=True)
    classes = tf.cast(tf.shape(p)[1], p.dtype)
    return (tf.reduce_sum(shares) - tf.linalg.trace(shares)) / classes
