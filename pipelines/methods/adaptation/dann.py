"""Domain-adversarial training: features that hide the domain, by reversed gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.methods.adaptation.bottleneck import begun, cross_entropy, train
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted

_STEEPNESS = 10.0


@keras.saving.register_keras_serializable("zootune")
class GradientReversal(keras.layers.Layer):
    """Gives what it gets; gradients through it are multiplied by `-strength`.

    What lies below learns to make worse what lies above learns to do
    (https://arxiv.org/abs/1409.7495). It acts in training alone: no artifact has it.
    """

    def __init__(self, strength: float = 1.0, **layer_options: object) -> None:
        super().__init__(**layer_options)
        self._first_strength = strength

    def build(self, input_shape: Any) -> None:
        """Makes the variable that holds the strength."""
        self.strength = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._first_strength),
            trainable=False,
            name="strength",
        )

    def call(self, inputs: Any) -> Any:
        """The inputs as they are."""
        strength = tf.convert_to_tensor(self.strength)

        @tf.custom_gradient
        def reverse(x: tf.Tensor) -> Any:
            return tf.identity(x), lambda slope: -tf.cast(strength, slope.dtype) * slope

        return reverse(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {**super().get_config(), "strength": self._first_strength}


def strength_at(progress: float) -> float:
    """The strength of the reversal when this share of all steps is done: 0 to 1."""
    return float(2 / (1 + np.exp(-_STEEPNESS * progress)) - 1)


def discriminator(settings: Settings) -> keras.Sequential:
    """A classifier of domains for the hidden layer: two layers, and one logit."""
    units = settings.discriminator_units
    judge = keras.Sequential(
        [
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    judge.build((None, settings.units))
    return judge


def dann(domains: Domains, settings: Settings, *, reverses: bool = True) -> Adapted:
    """A head on features that a classifier of domains does worst with.

    https://arxiv.org/abs/1409.7495. Without `reverses` the same classifier does best
    with them, which no run does: it shows what the reversal is for.
    """
    network, judge = begun(domains, settings), discriminator(settings)
    reversal = GradientReversal(0.0)
    reversal.build((None, settings.units))

    def loss(xs: tf.Tensor, ys: tf.Tensor, xt: tf.Tensor) -> tf.Tensor:
        hidden = network.hidden(tf.concat([xs, xt], axis=0))
        own = network.logits(hidden[: len(xs)])
        domain = judge(reversal(hidden) if reverses else hidden)[:, 0]
        is_source = tf.concat([tf.ones(len(xs)), tf.zeros(len(xt))], axis=0)
        apart = tf.nn.sigmoid_cross_entropy_with_logits(is_source, domain)
        return cross_entropy(ys, own) + settings.weight * tf.reduce_mean(apart)

    variables = [*network.variables, *judge.trainable_variables]
    train(
        loss,
        variables,
        domains,
        settings,
        begin_step=lambda progress: reversal.strength.assign(strength_at(progress)),
    )
    return network.adapted(domains)
