"""Adam whose rate and weight decay are learned while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from pipelines.errors import ConfigError


@keras.saving.register_keras_serializable("zootune")
class HypergradientAdam(keras.optimizers.Optimizer):
    """Adam with a rate and a decay for each variable that follow their own gradients.

    Hypergradient descent (https://arxiv.org/abs/1703.04782): where the gradient asks
    for more of the step before, the rate was too small, and rises; else it falls.
    The decay does the same by the angle of gradient and weights. Both change by a
    factor of at most `exp(hyper_rate)` a step (the gradient by the logarithm, as a
    cosine), so neither depends on the scale of a loss.

    `learning_rate` is where the rate starts, and may follow a schedule, which the
    learned factor multiplies. `decay` starts the weight decay; 0 leaves it out.

    Raises:
        ConfigError: for numbers out of bounds.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        hyper_rate: float = 0.02,
        decay: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "hypergradient_adam",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **options)
        for field, value, is_allowed, bounds in (
            ("hyper_rate", hyper_rate, 0 <= hyper_rate <= 1, "0 to 1"),
            ("decay", decay, 0 <= decay < 1, "0 to below 1"),
            ("beta_1", beta_1, 0 <= beta_1 < 1, "0 to below 1"),
            ("beta_2", beta_2, 0 <= beta_2 < 1, "0 to below 1"),
            ("epsilon", epsilon, epsilon > 0, "above 0"),
        ):
            if not is_allowed:
                raise ConfigError(f"{field} is {value}; allowed: {bounds}.")
        self.hyper_rate, self.decay = hyper_rate, decay
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes moments, the last direction, and the two factors of each variable."""
        if self.built:
            return
        super().build(variables)
        self._means, self._squares, self._steps = self.add_optimizer_variables(
            variables, ["mean", "square", "step"]
        )
        self._factors = [
            self.add_variable((2,), initializer="zeros", name=f"log_factors_{i}")
            for i, _ in enumerate(variables)
        ]

    def update_step(
        self, gradient: Any, variable: keras.Variable, learning_rate: Any
    ) -> None:
        """Moves the factors by their gradients, then the variable by Adam."""
        i = self._get_variable_index(variable)
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        weights = tf.convert_to_tensor(variable)
        along = [_cosine(gradient, self._steps[i]), _cosine(gradient, weights)]
        # The step before was subtracted: a gradient along it asks for more of it.
        factors = self._factors[i] + self.hyper_rate * tf.stack(along)
        self.assign(self._factors[i], factors)
        rate_factor, decay_factor = tf.unstack(tf.exp(factors))
        count = tf.cast(self.iterations + 1, variable.dtype)
        mean = self.beta_1 * self._means[i] + (1 - self.beta_1) * gradient
        square = self.beta_2 * self._squares[i] + (1 - self.beta_2) * gradient**2
        self.assign(self._means[i], mean)
        self.assign(self._squares[i], square)
        step = mean / (1 - self.beta_1**count)
        step /= tf.sqrt(square / (1 - self.beta_2**count)) + self.epsilon
        self.assign(self._steps[i], step)
        step += self.decay * decay_factor * weights
        rate = tf.cast(learning_rate, variable.dtype) * rate_factor
        self.assign_sub(variable, rate * step)

    def get_config(self) -> dict[str, Any]:
        """The options that the optimizer was made with."""
        return {
            **super().get_config(),
            "hyper_rate": self.hyper_rate,
            "decay": self.decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _cosine(left: Any, right: Any) -> tf.Tensor:
    """The cosine of an angle; 0 where one of the two is 0."""
    left, right = (tf.reshape(part, [-1]) for part in (left, right))
    lengths = tf.norm(left) * tf.norm(right)
    return tf.math.divide_no_nan(tf.reduce_sum(left * right), lengths)
