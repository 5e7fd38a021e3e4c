"""Meta-training: the LSTM of an update rule, by the losses along its own steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import ConfigError
from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.meta import saved
from pipelines.methods.meta.rounds import train_rounds
from pipelines.methods.meta.tasks import (
    Tasks,
    TaskSetting,
    draw_tasks,
    gradient_of,
    loss_of,
)
from pipelines.methods.meta.update_rule import (
    STATE_WIDTH,
    UpdateRule,
    new_rule,
    update_of,
)

# Steps that one meta-gradient looks back through, and tasks that it is the mean of.
UNROLL = 20
_TASKS = 4
_CLIP = 1.0


@dataclasses.dataclass(frozen=True)
class MetaSetting:
    """How long meta-training goes on: rounds of new tasks, `steps` on each.

    `rate` is where the Adam of the LSTM starts; it falls to zero by a cosine.
    """

    tasks: TaskSetting
    rounds: int = 60
    steps: int = 100
    rate: float = 0.01

    def check(self) -> None:
        """Raises `ConfigError` for numbers out of bounds."""
        self.tasks.check()
        if self.rounds < 1:
            raise ConfigError(f"rounds is {self.rounds}; allowed: 1 or more.")
        if self.steps < UNROLL or self.steps % UNROLL:
            raise ConfigError(
                f"steps is {self.steps}; allowed: multiples of {UNROLL}, the steps that"
                " one meta-gradient looks back through."
            )
        if not 0 < self.rate <= 1:
            raise ConfigError(f"rate is {self.rate}; allowed: above 0, up to 1.")


def meta_train(
    seen: Examples,
    setting: MetaSetting,
    *,
    progress_file: Path,
    settings: dict[str, Any],
    on_progress: Callable[[int], None],
) -> tuple[UpdateRule, tuple[float, ...]]:
    """The rule after all rounds, and the mean loss along the steps of each round.

    Stands are written to `progress_file`, and one that is there is gone on from: the
    result is the same to the bit as without the interruption.

    Raises:
        ConfigError: if the file is of other `settings`, or damaged.
        TrainingError: if the losses are no longer finite.
    """
    learner = _Learner(seen, setting)
    losses = train_rounds(
        learner,
        rounds=setting.rounds,
        method=saved.OPTIMIZER,
        progress_file=progress_file,
        settings=settings,
        on_progress=on_progress,
    )
    return UpdateRule(learner.weights), losses


class _Learner:
    """The LSTM in variables, and the Adam that trains it."""

    def __init__(self, seen: Examples, setting: MetaSetting) -> None:
        self._setting = setting
        self._rows = tf.constant(seen.features)
        self._labels = seen.labels
        seed = setting.tasks.episode.seed
        self.variables = [keras.Variable(part) for part in new_rule(seed).weights]
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                setting.rate, setting.rounds * setting.steps // UNROLL
            ),
            global_clipnorm=_CLIP,
        )
        self.optimizer.build(self.variables)
        self._unroll = tf.function(self._unrolled, autograph=False)

    @property
    def weights(self) -> tuple[np.ndarray, ...]:
        return tuple(variable.numpy() for variable in self.variables)

    def round(self, number: int) -> float:
        """Trains on new tasks, from their start to their last step."""
        tasks = draw_tasks(
            self._labels,
            self._setting.tasks,
            width=self._rows.shape[1],
            steps=self._setting.steps,
            count=_TASKS,
            seed=(self._setting.tasks.episode.seed, number),
        )
        heads = tf.constant(tasks.start)
        state = tf.zeros([tasks.start.size, STATE_WIDTH])
        losses = []
        for first in range(0, self._setting.steps, UNROLL):
            part = slice(first, first + UNROLL)
            heads, state, loss = self._unroll(heads, state, *_tensors(tasks, part))
            losses.append(float(loss))
        return float(np.mean(losses))

    def _unrolled(
        self,
        heads: tf.Tensor,
        state: tf.Tensor,
        batches: tf.Tensor,
        batch_labels: tf.Tensor,
        queries: tf.Tensor,
        query_labels: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One meta-step: the heads and states after an unroll, and its mean loss."""
        # Of unseen examples: rules that lowered the fitted loss alone overfitted heads.
        judged = tf.gather(self._rows, queries)
        with tf.GradientTape() as tape:
            weights = [tf.convert_to_tensor(variable) for variable in self.variables]
            tape.watch(weights)
            losses = []
            for step in range(UNROLL):
                rows = tf.gather(self._rows, batches[step])
                # No second derivatives, as in the paper.
                gradient = tf.stop_gradient(
                    gradient_of(heads, rows, batch_labels[step])
                )
                update, state = update_of(weights, tf.reshape(gradient, [-1]), state)
                heads += tf.reshape(update, heads.shape)
                losses.append(tf.reduce_mean(loss_of(heads, judged, query_labels)))
            loss = tf.add_n(losses) / UNROLL
        self.optimizer.apply(tape.gradient(loss, weights), self.variables)
        return heads, state, loss


def _tensors(tasks: Tasks, part: slice) -> tuple[tf.Tensor, ...]:
    return (
        tf.constant(tasks.batches[part]),
        tf.constant(tasks.batch_labels[part]),
        tf.constant(tasks.queries),
        tf.constant(tasks.query_labels),
    )
