"""Classes of very different size: resampling, class weights and priors."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# From this ratio on `auto` corrects: there the largest class hides others.
_RATIO = 10


def resolve(choice: str, labels: np.ndarray, classes: int) -> str:
    """`choice`, or for `auto` the correction that the training labels need.

    It is `prior_correction` if the largest class has at least 10 times as many examples
    as the smallest, else `none`.
    """
    if choice != "auto":
        return choice
    counts = np.bincount(labels, minlength=classes)
    return "prior_correction" if counts.max() >= _RATIO * counts.min() else "none"


def class_weights(
    labels: np.ndarray, classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Weights float32 `[classes]` that make every class count the same.

    Their mean over the labels is 1. A class without examples weighs nothing. Examples
    count by their `weights` `[n]`, which have a mean of 1.
    """
    counts = np.bincount(labels, weights, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.divide(
        len(labels), present * counts, out=np.zeros(classes), where=counts > 0
    )
    return weights.astype(np.float32)


def label_weights(labels: np.ndarray) -> np.ndarray:
    """The weight of each label, float64 with mean 1, for labels 0 or 1, `[n, labels]`.

    It is one over the loss of always giving the share of the label. A weight of the
    examples that have it would make its probability too large as well; with a weight of
    the whole label the right probability is still the best answer.
    """
    # Half an example more of each outcome: no share is 0 or 1.
    share = (labels.sum(axis=0, dtype=np.float64) + 0.5) / (len(labels) + 1)
    entropy = -(share * np.log(share) + (1 - share) * np.log1p(-share))
    return (1 / entropy) / (1 / entropy).mean()


def log_prior(
    labels: np.ndarray, classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """The logarithm of the share of each class, float32 `[classes]`.

    Examples count by their `weights` `[n]`, which have a mean of 1.
    """
    counts = np.bincount(labels, weights, minlength=classes)
    return np.log(counts / len(labels)).astype(np.float32)


def weighted(batches: tf.data.Dataset, weights: np.ndarray) -> tf.data.Dataset:
    """The same batches with a weight for every example, float32 `[batch]`.

    Labels may be soft. Each class then weighs its own share of a label, as if the
    images that were mixed had been weighed one by one: the weighted share, divided by
    its sum, becomes the label, and the sum the weight. (`class_weight` of Keras gives
    the whole example the weight of its largest class.) Batches that have weights keep
    them as factors.
    """
    table = tf.constant(weights)

    def weigh(
        inputs: tf.Tensor, labels: tf.Tensor, *own: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        if labels.shape.rank == 1:
            sums = tf.gather(table, labels)
        else:
            shares = labels * table
            sums = tf.reduce_sum(shares, axis=1)
            labels = shares / sums[:, tf.newaxis]
        return inputs, labels, sums * own[0] if own else sums

    return batches.map(weigh, num_parallel_calls=tf.data.AUTOTUNE)


def one_hot(batches: tf.data.Dataset, classes: int) -> tf.data.Dataset:
    """The same batches with labels float32 `[batch, classes]`."""
    return batches.map(
        lambda inputs, labels, *weights: (inputs, tf.one_hot(labels, classes), *weights)
    )
