"""Data sets without TensorFlow's tuner, which can hold up the end of an iterator.

It sets the parallelism of a data set while that is read, at times that are twice as far
apart each time. When the iterator ends, it is woken before it is told why (TensorFlow
2.21: `CancellationManager` runs its callbacks first and is cancelled then), and may
sleep until its next time, as long as it has run and up to a minute: on two cores every
third pass of six seconds took eleven. Without it, `tf.data.AUTOTUNE` is one call for
each core. See ADR 26.
"""

from __future__ import annotations

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements; holds also for everything that is made of the result."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
