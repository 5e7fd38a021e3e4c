"""What the last blocks are trained for in an episode: one row for each method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from pipelines.methods.meta.tasks import gradient_of, loss_of

# Distances between embeddings are in units that make their variance this: a softmax of
# them is neither flat nor sure before training.
VARIANCE = 10.0
# The norm of a gradient of the blocks: a first episode may be far off.
CLIP = 1.0
_INNER_STEPS = 5
_INNER_RATE = 0.4


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """An episode: inputs of the blocks for support and query set, and labels of each.

    Labels are `0..ways-1`, int32.
    """

    support: Any
    support_labels: tf.Tensor
    query: Any
    query_labels: tf.Tensor
    ways: int


# Embeds inputs, in inference mode, `[n, width]`.
Embed = Callable[[Any], tf.Tensor]
Loss = Callable[[Embed, Shown], tf.Tensor]


def prototypes(embed: Embed, shown: Shown) -> tf.Tensor:
    """Cross-entropy of queries by their distance to the means of the classes.

    Snell et al., "Prototypical Networks for Few-shot Learning", 2017
    (https://arxiv.org/abs/1703.05175).
    """
    means = tf.math.unsorted_segment_mean(
        embed(shown.support), shown.support_labels, shown.ways
    )
    away = embed(shown.query)[:, None] - means[None]
    return _cross_entropy(shown.query_labels, -tf.reduce_sum(away**2, axis=-1))


def head_alone(embed: Embed, shown: Shown) -> tf.Tensor:
    """Cross-entropy of queries by a linear head, five steps after its start at zero.

    The gradient goes through the steps. ANIL: Raghu et al., "Rapid Learning or Feature
    Reuse?", 2020 (https://arxiv.org/abs/1909.09157).
    """
    support, query = embed(shown.support)[None], embed(shown.query)[None]
    labels = shown.support_labels[None]
    head = tf.zeros([1, support.shape[-1] + 1, shown.ways])
    for _ in range(_INNER_STEPS):
        head -= _INNER_RATE * gradient_of(head, support, labels)
    return loss_of(head, query, shown.query_labels[None])[0]


def by_gradient(
    loss: Loss, optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]
) -> Callable[[Embed, Shown], tf.Tensor]:
    """A step of an optimizer on the loss of an episode, which it answers."""

    def step(embed: Embed, shown: Shown) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(embed, shown)
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    return step


def towards_fitted(
    rate: float, share: tf.Variable, variables: Sequence[Any]
) -> Callable[[Embed, Shown], tf.Tensor]:
    """Fits a copy to the support set, and goes a share of the way to it.

    Reptile: Nichol et al., "On First-Order Meta-Learning Algorithms", 2018
    (https://arxiv.org/abs/1803.02999). `rate` is of five plain steps of the blocks; the
    head of an episode starts at zero. It answers the loss of the queries after them.
    """

    def step(embed: Embed, shown: Shown) -> tf.Tensor:
        before = [tf.identity(variable.value) for variable in variables]
        head, labels = None, shown.support_labels[None]
        for _ in range(_INNER_STEPS):
            with tf.GradientTape() as tape:
                rows = embed(shown.support)[None]
                if head is None:
                    head = tf.zeros([1, rows.shape[-1] + 1, shown.ways])
                value = loss_of(head, rows, labels)[0]
            head -= _INNER_RATE * gradient_of(head, rows, labels)
            parts, _ = tf.clip_by_global_norm(tape.gradient(value, variables), CLIP)
            for variable, part in zip(variables, parts):
                variable.assign_sub(rate * part)
        judged = loss_of(head, embed(shown.query)[None], shown.query_labels[None])[0]
        for variable, old in zip(variables, before):
            variable.assign(old + share * (variable.value - old))
        return judged

    return step


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )
