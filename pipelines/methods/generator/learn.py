"""Learns to draw, by steps in which the judge and the drawer take turns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import TrainingError
from pipelines.methods.generator.networks import (
    Shape,
    drawer_of,
    judge_of,
)
from pipelines.methods.generator.settings import GeneratorSettings
from pipelines.runtime.clock import Ticker
from pipelines.training.alternation import Player, alternating

_HALF = 127.5
# Steps whose losses are one mean in the record.
_SHOWN_STEPS = 100
_AT_ONCE = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
    """A drawer, and the mean losses of judge and drawer, 100 steps a row."""

    drawer: keras.Model
    shape: Shape
    losses: tuple[tuple[float, float], ...]


def learn(
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    settings: GeneratorSettings,
) -> Learned:
    """Learns from images, uint8 `[n, size, size, channels]`, and labels `[n]`.

    https://arxiv.org/abs/1511.06434, with the class as an input of both networks. The
    same seed gives the same drawer.

    Raises:
        TrainingError: if a loss is not a number any more.
    """
    keras.utils.set_random_seed(settings.seed)
    shape = Shape(pixels.shape[1], pixels.shape[3], classes)
    drawer, judge = drawer_of(shape, settings), judge_of(shape, settings)

    def of_judge(images: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        drawn = tf.stop_gradient(drawer([noise, labels], training=True))
        real = judge([images, labels], training=True)
        fake = judge([drawn, labels], training=True)
        return _entropy(1.0, real) + _entropy(0.0, fake)

    def of_drawer(images: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        drawn = drawer([noise, labels], training=True)
        return _entropy(1.0, judge([drawn, labels], training=True))

    step = alternating(
        [
            Player(loss, network.trainable_variables, _optimizer(settings))
            for loss, network in ((of_judge, judge), (of_drawer, drawer))
        ]
    )
    rng = np.random.default_rng(settings.seed)
    losses: list[list[float]] = []
    tick = Ticker("steps", settings.steps)
    one_hot = np.eye(classes, dtype=np.float32)
    for i in range(settings.steps):
        rows = rng.integers(0, len(pixels), settings.batch_size)
        images = pixels[rows].astype(np.float32) / _HALF - 1
        noise = rng.standard_normal((len(rows), settings.noise), np.float32)
        values = step(images, one_hot[labels[rows]], noise)
        losses.append([float(value) for value in values])
        if not np.isfinite(losses[-1]).all():
            raise TrainingError(
                f"The losses of judge and drawer are {losses[-1]} in step {i + 1}."
                " Halve the learning rate."
            )
        tick(i + 1)
    parts = np.array_split(losses, max(1, settings.steps // _SHOWN_STEPS))
    means = tuple((float(m[0]), float(m[1])) for m in (p.mean(axis=0) for p in parts))
    return Learned(drawer, shape, means)


def draw(
    network: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    labels: np.ndarray,
    settings: GeneratorSettings,
) -> np.ndarray:
    """An image of each label, uint8 `[n, size, size, channels]`.

    By a network from noise `[n, noise]` and labels `[n]` to images; the noise is drawn
    by the seed.
    """
    rng = np.random.default_rng(settings.seed)
    drawn = []
    for start in range(0, len(labels), _AT_ONCE):
        some = labels[start : start + _AT_ONCE]
        noise = rng.standard_normal((len(some), settings.noise), np.float32)
        drawn.append(network(tf.constant(noise), tf.constant(some)).numpy())
    return np.concatenate(drawn)


def pixels_of(learned: Learned, noise: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The images for noise `[n, noise]` and labels `[n]`, uint8."""
    one_hot = tf.one_hot(labels, learned.shape.classes)
    drawn = learned.drawer([noise, one_hot], training=False)
    return tf.cast(tf.round((drawn + 1) * _HALF), tf.uint8)


def _entropy(truth: float, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(truth * tf.ones_like(logits), logits)
    )


def _optimizer(settings: GeneratorSettings) -> keras.optimizers.Adam:
    return keras.optimizers.Adam(settings.learning_rate, beta_1=settings.momentum)
