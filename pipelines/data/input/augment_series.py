"""Augmentation of series: a function of the seed, the epoch and the example alone.

Noise, another size, other speeds and a part of a series make more examples of few
(https://arxiv.org/abs/2002.12478). Missing values stay missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from pipelines.data.input.order import Sample

_NOISE, _SIZE, _SPEED, _WINDOW = range(4)
# Places along a series between which its size and its speed change.
_KNOTS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class SeriesAugmentation:
    """The changes to the training series of a phase.

    `jitter` is the deviation of noise, in deviations of a channel. `scaling` is the
    largest relative change of a channel's size, and `warp` of the speed, both in a line
    from knot to knot. `window` is the smallest share of the steps that is kept, and
    stretched to the whole length.
    """

    jitter: float = 0.0
    scaling: float = 0.0
    warp: float = 0.0
    window: float = 1.0

    @property
    def mixes(self) -> bool:
        """False: labels stay as they are."""
        return False


def series_augmenter(
    augmentation: SeriesAugmentation, *, seed: int
) -> Callable[[tf.Tensor, Sample], tf.Tensor]:
    """A function from a series float32 `[steps, channels]` and its sample to another.

    Of the same shape.
    """

    def augment(series: tf.Tensor, sample: Sample) -> tf.Tensor:
        key = tf.constant([seed, 0])
        for number in (sample.epoch, sample.index, sample.repeat):
            key = tf.random.experimental.stateless_fold_in(key, number, alg="philox")

        def draw(stream: int, shape: tuple[int, ...]) -> tf.Tensor:
            own = tf.random.experimental.stateless_fold_in(key, stream, alg="philox")
            return tf.random.stateless_uniform(shape, own, -1.0, 1.0, alg="philox")

        steps, channels = series.shape
        places = _places(augmentation, draw, steps)
        x = _at(series, places)
        if augmentation.scaling:
            knots = 1.0 + augmentation.scaling * draw(_SIZE, (_KNOTS, channels))
            x = _centred(x, _along(knots, steps))
        if augmentation.jitter:
            own = tf.random.experimental.stateless_fold_in(key, _NOISE, alg="philox")
            noise = tf.random.stateless_normal([steps, channels], own, alg="philox")
            x += augmentation.jitter * _deviation(x) * noise
        return tf.ensure_shape(x, series.shape)

    return augment


def _places(
    augmentation: SeriesAugmentation,
    draw: Callable[[int, tuple[int, ...]], tf.Tensor],
    steps: int,
) -> tf.Tensor:
    """The place in the series that each step reads, float32 `[steps]`, in order."""
    speeds = 1.0 + augmentation.warp * draw(_SPEED, (_KNOTS, 1))
    passed = tf.cumsum(_along(speeds, steps)[:, 0], exclusive=True)
    share = passed / tf.maximum(passed[-1], 1e-6)
    width, start = tf.unstack((draw(_WINDOW, (2,)) + 1.0) / 2.0)
    kept = augmentation.window + (1.0 - augmentation.window) * width
    return (start * (1.0 - kept) + share * kept) * (steps - 1)


def _along(knots: tf.Tensor, steps: int) -> tf.Tensor:
    """Values `[knots, n]` in a line from knot to knot, `[steps, n]`."""
    return _at(knots, tf.linspace(0.0, knots.shape[0] - 1.0, steps))


def _at(values: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Values `[n, channels]` between their rows, at `places` `[m]`."""
    last = values.shape[0] - 1
    below = tf.clip_by_value(tf.floor(places), 0.0, float(last))
    left = tf.cast(below, tf.int32)
    right = tf.minimum(left + 1, last)
    share = (places - below)[:, None]
    start, end = tf.gather(values, left), tf.gather(values, right)
    # At a row itself its neighbour does not count, which may be missing.
    return tf.where(share > 0, start + (end - start) * share, start)


def _centred(x: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Values times factors, around the mean of each channel."""
    mean, _ = _moments(x)
    return mean + (x - mean) * factors


def _deviation(x: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(_moments(x)[1])


def _moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each channel `[channels]` over what is not missing."""
    there = tf.cast(~tf.math.is_nan(x), tf.float32)
    count = tf.maximum(tf.reduce_sum(there, axis=0), 1.0)
    mean = tf.reduce_sum(tf.where(there > 0, x, 0.0), axis=0) / count
    squares = tf.where(there > 0, tf.square(x - mean), 0.0)
    return mean, tf.reduce_sum(squares, axis=0) / count
