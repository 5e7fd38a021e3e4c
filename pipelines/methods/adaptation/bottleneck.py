"""A trainable bottleneck and its classifier, as several methods train them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted, AdaptedHead

BATCH = 32
MOMENTUM = 0.9
# Of Ganin and Lempitsky, https://arxiv.org/abs/1409.7495.
_FIRST_RATE, _FALL, _POWER = 0.01, 10.0, 0.75

Batch = tuple[float, tf.Tensor, tf.Tensor, tf.Tensor]
Loss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


class Bottleneck:
    """A dense layer, and the logits behind it, for reduced features `[rows, width]`."""

    def __init__(
        self, width: int, *, units: int, classes: int, activation: str | None = "relu"
    ) -> None:
        self.hidden = keras.layers.Dense(units, activation=activation)
        self.logits = keras.layers.Dense(classes)
        self.hidden.build((None, width))
        self.logits.build((None, units))

    @property
    def variables(self) -> list[Any]:
        """The weights of both layers."""
        return [*self.hidden.trainable_variables, *self.logits.trainable_variables]

    def answers(self, rows: tf.Tensor) -> tf.Tensor:
        """Logits `[rows, classes]`."""
        return self.logits(self.hidden(rows))

    def head(self, domains: Domains) -> AdaptedHead:
        """The head for raw features."""
        hidden, logits = (
            tuple(np.asarray(w) for w in layer.get_weights())
            for layer in (self.hidden, self.logits)
        )
        return domains.directions.below(domains.probe, hidden, logits)  # type: ignore[arg-type]

    def adapted(self, domains: Domains) -> Adapted:
        """The head for both domains."""
        return domains.adapted(self.head(domains))


def begun(domains: Domains, settings: Settings) -> Bottleneck:
    """A bottleneck of random weights, drawn by the seed."""
    keras.utils.set_random_seed(settings.seed)
    width = domains.reduced[0].shape[1]
    return Bottleneck(width, units=settings.units, classes=domains.classes)


def rate(progress: float) -> float:
    """The learning rate when this share of all steps is done."""
    return float(_FIRST_RATE / (1 + _FALL * progress) ** _POWER)


def optimizer_of(variables: Sequence[Any]) -> keras.optimizers.SGD:
    """SGD with momentum, for these variables."""
    optimizer = keras.optimizers.SGD(_FIRST_RATE, momentum=MOMENTUM)
    optimizer.build(variables)
    return optimizer


def drawn(domains: Domains, settings: Settings) -> Iterator[Batch]:
    """Progress, 32 source rows with labels, and 32 target rows, step after step.

    With labelled target rows, 16 of these follow after the source rows.
    """
    rng = np.random.default_rng(settings.seed)
    source, target = domains.reduced
    labelled, labels = domains.reduced_labelled, domains.labelled_labels
    for step in range(settings.steps):
        own = rng.integers(0, len(source), BATCH)
        other = rng.integers(0, len(target), BATCH)
        xs, ys = source[own], domains.labels[own]
        if labelled is not None and labels is not None:
            also = rng.integers(0, len(labelled), BATCH // 2)
            xs = np.concatenate([xs, labelled[also]])
            ys = np.concatenate([ys, labels[also]])
        progress = step / settings.steps
        yield progress, tf.constant(xs), tf.constant(ys), tf.constant(target[other])


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The mean cross-entropy of labels `[rows]`."""
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def train(
    loss: Loss,
    variables: Sequence[Any],
    domains: Domains,
    settings: Settings,
    *,
    begin_step: Callable[[float], None] | None = None,
) -> None:
    """Lowers a loss of source rows, labels and target rows, in all steps.

    `begin_step` is called with the progress before each.
    """
    optimizer = optimizer_of(variables)

    @tf.function(reduce_retracing=True)
    def step(xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            value = loss(xs, ys, xt)
        slopes = tape.gradient(value, variables)
        optimizer.apply_gradients(zip(slopes, variables))

    for progress, xs, ys, xt in drawn(domains, settings):
        optimizer.learning_rate = rate(progress)
        if begin_step is not None:
            begin_step(progress)
        step(xs, ys, xt)
