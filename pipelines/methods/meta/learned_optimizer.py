"""The learned optimizer as one of Keras: it trains any model, and is saved with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.methods.meta import saved
from pipelines.methods.meta.update_rule import (
    STATE_WIDTH,
    UpdateRule,
    decoded,
    update_of,
)


@keras.saving.register_keras_serializable("zootune")
class LearnedOptimizer(keras.optimizers.Optimizer):
    """Steps that an LSTM gives, which `zoo meta --method optimizer` trained.

    One small LSTM reads the gradient of each weight and says how far it goes
    (https://arxiv.org/abs/1606.04474). It was trained on short tasks, and is for tasks
    like them. Its state takes 80 numbers for each weight of the model.

    `rule` is an `UpdateRule`, or its encoded text; it is part of the config, so that
    whatever copies the optimizer copies its weights. `learning_rate` is a factor on
    steps, 1 as trained.

    Raises:
        ConfigError: if `rule` is of another shape, or its text is damaged.
    """

    def __init__(
        self,
        rule: UpdateRule | str,
        learning_rate: Any = 1.0,
        name: str = "learned_optimizer",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **options)
        self.rule = decoded(rule) if isinstance(rule, str) else rule

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> LearnedOptimizer:
        """The optimizer of a file that `zoo meta --method optimizer` wrote.

        Raises:
            ConfigError: if the file is another one, or damaged.
        """
        return cls(saved.load_rule(Path(path)), **options)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the states of the weights that are to be trained."""
        if self.built:
            return
        super().build(variables)
        self._states = [
            self.add_variable(
                (int(np.prod(variable.shape)), STATE_WIDTH), name=f"state_{i}"
            )
            for i, variable in enumerate(variables)
        ]

    def update_step(
        self, gradient: Any, variable: keras.Variable, learning_rate: Any
    ) -> None:
        """Adds the step of the LSTM to one variable."""
        state = self._states[self._get_variable_index(variable)]
        flat = tf.reshape(tf.convert_to_tensor(gradient), [-1])
        step, after = update_of(
            self.rule.weights, tf.cast(flat, tf.float32), tf.cast(state, tf.float32)
        )
        step = tf.reshape(step, variable.shape) * tf.cast(learning_rate, tf.float32)
        self.assign(state, tf.cast(after, state.dtype))
        self.assign_add(variable, tf.cast(step, variable.dtype))

    def get_config(self) -> dict[str, Any]:
        """The options, and the rule as text."""
        return {**super().get_config(), "rule": self.rule.encoded()}
