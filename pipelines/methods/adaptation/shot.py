"""SHOT: the classifier stays, and a bottleneck learns sure and diverse answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.methods.adaptation.bottleneck import (
    BATCH,
    Bottleneck,
    begun,
    cross_entropy,
    optimizer_of,
    rate,
    train,
)
from pipelines.methods.adaptation.domains import Domains, Settings, main_directions
from pipelines.methods.adaptation.head import Adapted, AdaptedHead, unchanged
from pipelines.probing.probe import Probe

# The weight of pseudo-labels, of https://arxiv.org/abs/2002.08546.
_PSEUDO = 0.3
_SPREAD = 0.1
_TINY = 1e-8
_ROUNDS = 2
# Passes over the target; each begins with new pseudo-labels.
_PASSES = 15


def shot(domains: Domains, settings: Settings) -> Adapted:
    """A head that is trained on the source, and its bottleneck then on the target.

    https://arxiv.org/abs/2002.08546.
    """
    network = begun(domains, settings)

    def loss(xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor) -> tf.Tensor:
        return _smoothed(ys, network.answers(xs))

    train(loss, network.variables, domains, settings)
    follow_target(network, domains.reduced[1], settings)
    return network.adapted(domains)


def shot_linear(domains: Domains, settings: Settings) -> Adapted:
    """The linear head of the source, standardized for the target and led by it."""
    begun_from = domains.adapted(unchanged(domains.probe).head)
    head = shot_of_head(begun_from.head, domains.target, settings)
    return Adapted(head, begun_from.for_source)


def shot_of_head(probe: Probe, target: np.ndarray, settings: Settings) -> AdaptedHead:
    """The linear head that SHOT makes of one, by raw features `[rows, width]` alone.

    The bottleneck begins as the main directions of the target, and the classifier as
    what the head reads along them.
    """
    standardized = probe.standardization([target])
    reduce = main_directions(standardized)
    scale = np.square(np.linalg.norm(reduce.axes[:, :1]))
    width = reduce.axes.shape[1]
    network = Bottleneck(width, units=width, classes=len(probe.bias), activation=None)
    network.hidden.set_weights([np.eye(width), np.zeros(width)])
    inside = reduce.axes.T @ probe.kernel / scale
    network.logits.set_weights([inside, probe.bias + reduce.centre @ probe.kernel])
    follow_target(network, reduce(standardized), settings)
    (hidden, offset), (kernel, bias) = (
        layer.get_weights() for layer in (network.hidden, network.logits)
    )
    change = reduce.linear(probe, hidden @ kernel - inside, bias + offset @ kernel)
    # What the head reads beside the main directions stays as it is.
    return dataclasses.replace(
        change,
        kernel=change.kernel + probe.kernel,
        bias=change.bias - reduce.centre @ probe.kernel,
    )


def _smoothed(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy, with a tenth of each label spread over all classes."""
    classes = logits.shape[-1]
    soft = (1 - _SPREAD) * tf.one_hot(labels, classes) + _SPREAD / classes
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(soft, logits))


def follow_target(network: Bottleneck, target: np.ndarray, settings: Settings) -> None:
    """Trains the hidden layer alone on target rows, without a label."""
    variables = network.hidden.trainable_variables
    optimizer = optimizer_of(variables)

    @tf.function(reduce_retracing=True)
    def step(xt: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = network.answers(xt)
            value = information(logits) + _PSEUDO * cross_entropy(labels, logits)
            value = settings.weight * value
        slopes = tape.gradient(value, variables)
        optimizer.apply_gradients(zip(slopes, variables))

    rng = np.random.default_rng(settings.seed)
    labels = np.zeros(len(target), np.int64)
    every = max(1, len(target) // BATCH)
    steps = min(settings.steps, _PASSES * every)
    for done in range(steps):
        if done % every == 0:
            labels = pseudo_labels(network, target)
        optimizer.learning_rate = rate(done / steps)
        rows = rng.integers(0, len(target), BATCH)
        step(tf.constant(target[rows]), tf.constant(labels[rows]))


def information(logits: tf.Tensor) -> tf.Tensor:
    """The mean entropy of answers `[rows, classes]`, less the entropy of the mean."""
    p = tf.nn.softmax(logits)
    each = -tf.reduce_mean(tf.reduce_sum(p * tf.math.log(p + _TINY), axis=1))
    mean = tf.reduce_mean(p, axis=0)
    return each + tf.reduce_sum(mean * tf.math.log(mean + _TINY))


def pseudo_labels(network: Bottleneck, target: np.ndarray) -> np.ndarray:
    """The class whose centroid is nearest to each row by cosine, int64 `[rows]`."""
    hidden = np.asarray(network.hidden(target), np.float64)
    p = np.asarray(tf.nn.softmax(network.answers(target)), np.float64)
    rows = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = p.argmax(axis=1)
    for _ in range(_ROUNDS):
        present = p.sum(axis=0) > 0.5
        centroids = p.T @ rows
        centroids /= np.maximum(np.linalg.norm(centroids, axis=1), _TINY)[:, None]
        near = np.where(present, rows @ centroids.T, -np.inf)
        labels = near.argmax(axis=1)
        p = np.eye(p.shape[1])[labels]
    return labels.astype(np.int64)
