"""Data sets without TensorFlow's tuner, which can delay the end of an iterator.

The tuner sets the parallelism of a data set while it is read, at intervals that double.
At the end of an iterator TensorFlow 2.21 wakes it before it cancels it
(`CancellationManager` runs its callbacks first), so it may sleep again until its next
time, as long as it has run and up to a minute: on two cores every third pass of six
seconds took eleven. Without it, `tf.data.AUTOTUNE` is one call for each core. See
ADR 26.
"""

from __future__ import annotations

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, untuned; so is every data set that is made of them."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
