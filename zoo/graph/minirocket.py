"""MiniRocket as a layer: shares of steps at which fixed kernels exceed thresholds.

https://arxiv.org/abs/2012.08791, with the random combinations of channels of the
authors' code. Every sum is exact, so that all engines, number formats and batch sizes
compare the same numbers with the thresholds and give the same features.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtri

from zoo.catalog.series import (
    KERNEL_COUNT,
    KERNEL_STEPS,
    MOST_DILATIONS,
    THRESHOLDS_PER_KERNEL,
)
from zoo.graph.gaps import filled, lengths

# Values are rounded to multiples of 2**-12 between -32 and 32, in units of at least
# their deviation: sums of nine channels under kernels of total weight 12 then fit into
# the 24 bits of float32.
_STEPS_PER_UNIT = 2.0**12
_LARGEST = 32.0 - 2.0**-12
# Of the 17 bits of a value, the upper and the lower ones apart fit into bfloat16 and
# TF32, which are what some devices multiply in.
_COARSE_STEPS_PER_UNIT = 2.0**3
# Numbers in memory for one dilation; series beyond it are read one by one, which is
# faster too, because those of one fit into the cache of a processor.
_AT_ONCE = 2**24
_USUAL_BATCH = 32


def kernels() -> np.ndarray:
    """The 84 kernels `[9, 84]`: -1 everywhere, but 2 at three steps."""
    places = itertools.combinations(range(KERNEL_STEPS), 3)
    weights = np.full((KERNEL_STEPS, KERNEL_COUNT), -1.0, np.float32)
    for kernel, three in enumerate(places):
        weights[list(three), kernel] = 2.0
    return weights


def dilations_for(steps: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dilations for series of this number of steps, and the thresholds of each."""
    largest = math.log2((steps - 1) / (KERNEL_STEPS - 1))
    exponents = np.logspace(0, largest, MOST_DILATIONS, base=2).astype(np.int64)
    dilations, shares = np.unique(exponents, return_counts=True)
    counts = (shares * (THRESHOLDS_PER_KERNEL / MOST_DILATIONS)).astype(np.int64)
    missing = THRESHOLDS_PER_KERNEL - int(counts.sum())
    counts += missing // len(counts)
    counts[: missing % len(counts)] += 1
    return tuple(dilations.tolist()), tuple(counts.tolist())


def quantiles(count: int) -> np.ndarray:
    """A sequence in 0..1 that fills it evenly, by the golden ratio, `[count]`."""
    golden = (math.sqrt(5) + 1) / 2
    return np.array([(number * golden) % 1 for number in range(1, count + 1)])


@keras.saving.register_keras_serializable("zootune")
class MiniRocket(keras.layers.Layer):
    """A feature vector `[batch, 9996]` for series `[batch, steps, channels]`.

    Each feature is the share of steps at which a kernel, with its dilation, exceeds a
    threshold, in 0..1. Half of the kernels read over the ends of a series, where there
    are zeros. Gaps are filled, and what comes after the last value does not count.

    Its weights do not train: `thresholds`, and `mean` and `scale` of every channel,
    which `zoo.sources.minirocket.fit` takes from the training data; for several
    channels also `combinations`, 1 for the channels that a kernel adds up. Before that
    they are what noise of mean 0 and deviation 1 would give.
    """

    def __init__(
        self,
        dilations: Sequence[int],
        thresholds_per_dilation: Sequence[int],
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.dilations = tuple(dilations)
        self.thresholds_per_dilation = tuple(thresholds_per_dilation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for this number of channels."""
        channels = int(input_shape[-1] or 1)

        def fixed(name: str, shape: tuple[int, ...], initializer: Any):
            return self.add_weight(
                shape=shape,
                initializer=initializer,
                trainable=False,
                dtype="float32",
                autocast=False,
                name=name,
            )

        self.mean = fixed("mean", (channels,), "zeros")
        self.scale = fixed("scale", (channels,), "ones")
        count = KERNEL_COUNT * sum(self.thresholds_per_dilation)
        deviation = math.sqrt(float(np.square(kernels()).sum(axis=0)[0]))
        of_noise = (deviation * ndtri(quantiles(count))).astype(np.float32)
        self.thresholds = fixed(
            "thresholds", (count,), lambda shape, dtype: tf.constant(of_noise)
        )
        self.combinations = None
        if channels > 1:
            rows = KERNEL_COUNT * len(self.dilations)
            first = np.zeros((rows, channels), np.float32)
            first[np.arange(rows), np.arange(rows) % channels] = 1.0
            self.combinations = fixed(
                "combinations",
                first.shape,
                lambda shape, dtype: tf.constant(first),
            )

    def call(self, series: tf.Tensor) -> tf.Tensor:
        """The features of each series."""
        x = tf.cast(series, tf.float32)
        counted = lengths(x)
        x = self.rounded(filled(x))
        widest = KERNEL_COUNT // 2 * max(self.thresholds_per_dilation)
        if x.shape[1] * widest * _USUAL_BATCH <= _AT_ONCE:
            features = self._features(x, counted)
        else:
            features = tf.map_fn(
                lambda one: self._features(one[0][None], one[1][None])[0],
                (x, counted),
                fn_output_signature=tf.TensorSpec(
                    [self.thresholds.shape[0]], tf.float32
                ),
                parallel_iterations=1,
            )
        return tf.cast(features, self.compute_dtype)

    def rounded(self, x: tf.Tensor) -> tf.Tensor:
        """Values in units of a channel, rounded so that sums of them are exact."""
        x = (x - tf.convert_to_tensor(self.mean)) / tf.convert_to_tensor(self.scale)
        steps = tf.round(tf.clip_by_value(x, -_LARGEST, _LARGEST) * _STEPS_PER_UNIT)
        return steps / _STEPS_PER_UNIT

    def _features(self, x: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
        # Where a series has ended there are zeros, as beyond the longest.
        steps = tf.range(x.shape[1])[None, :]
        x = tf.where((steps < counted[:, None])[..., None], x, 0.0)
        coarse = tf.round(x * _COARSE_STEPS_PER_UNIT) / _COARSE_STEPS_PER_UNIT
        halves = tf.concat([coarse, x - coarse], axis=2)
        features, start = [], 0
        for number, count in enumerate(self.thresholds_per_dilation):
            end = start + KERNEL_COUNT * count
            thresholds = tf.reshape(self.thresholds[start:end], [count, KERNEL_COUNT])
            reach = KERNEL_STEPS // 2 * self.dilations[number]
            for parity, beyond in ((number % 2, 0), ((number + 1) % 2, reach)):
                features.append(
                    _shares_above(
                        self._convolved(halves, number, parity),
                        thresholds[:, parity::2],
                        counted,
                        beyond=beyond,
                    )
                )
            start = end
        return tf.concat(features, axis=1)

    def _convolved(self, halves: tf.Tensor, number: int, parity: int) -> tf.Tensor:
        """The sums under every second kernel with a dilation, `[batch, steps, 42]`."""
        weights = tf.constant(kernels()[:, None, parity::2])
        if self.combinations is not None:
            first = KERNEL_COUNT * number
            some = self.combinations[first + parity : first + KERNEL_COUNT : 2]
            weights = weights * tf.transpose(some)[None]
        both = tf.concat([weights, weights], axis=1)
        return tf.nn.conv1d(
            halves, both, stride=1, padding="SAME", dilations=self.dilations[number]
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """`(batch, features)`."""
        return (input_shape[0], KERNEL_COUNT * sum(self.thresholds_per_dilation))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            **super().get_config(),
            "dilations": self.dilations,
            "thresholds_per_dilation": self.thresholds_per_dilation,
        }


def _shares_above(
    sums: tf.Tensor, thresholds: tf.Tensor, counted: tf.Tensor, *, beyond: int
) -> tf.Tensor:
    """The shares of steps with larger sums, `[batch, rows * 42]`.

    `thresholds` are `[rows, 42]`, each row for the 42 kernels of `sums`. Without the
    first and the last steps, as many as a kernel reaches `beyond`.
    """
    inside = sums[:, beyond : sums.shape[1] - beyond]
    left = counted - 2 * beyond
    number = tf.cast(tf.maximum(left, 1), tf.float32)[:, None]
    counts = tf.cast(tf.range(inside.shape[1])[None] < left[:, None], tf.float32)
    repeated = tf.concat([inside] * thresholds.shape[0], axis=2)
    above = tf.cast(repeated > tf.reshape(thresholds, [-1]), tf.float32)
    # A product adds up and leaves out what does not count, in one pass; all sums are
    # of ones, and exact.
    return tf.matmul(counts[:, None, :], above)[:, 0] / number
