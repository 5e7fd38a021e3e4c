"""Rounds of episodes for the last blocks: an episode a round."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import ConfigError
from pipelines.methods.episodic.objectives import (
    CLIP,
    VARIANCE,
    Embed,
    Shown,
    by_gradient,
    head_alone,
    prototypes,
    towards_fitted,
)
from pipelines.methods.episodic.tail import Tail
from pipelines.methods.few_shot.episodes import Setting, drawn

PROTONET, ANIL, REPTILE = METHODS = ("protonet", "anil", "reptile")
_LOSSES = {PROTONET: prototypes, ANIL: head_alone}
# Reptile goes this share of the way at first, and nothing of it at last.
_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class EpisodicSetting:
    """The method, the episodes, and how the last blocks learn from them.

    `rate` is where Adam starts, which falls to zero by a cosine; of `reptile` it is the
    rate of the plain steps on an episode.
    """

    episode: Setting
    method: str = PROTONET
    rounds: int = 300
    rate: float = 1e-4
    blocks: int = 2

    def check(self) -> None:
        """Raises `ConfigError` for numbers out of bounds."""
        self.episode.check()
        if self.method not in METHODS:
            raise ConfigError(
                f"method is '{self.method}'; allowed: {', '.join(METHODS)}."
            )
        if self.rounds < 1:
            raise ConfigError(f"rounds is {self.rounds}; allowed: 1 or more.")
        if not 0 < self.rate <= 1:
            raise ConfigError(f"rate is {self.rate}; allowed: above 0, up to 1.")


class EpisodicLearner:
    """The last blocks in training, as `train_rounds` takes them.

    `seen` are the rows of the classes that episodes draw from, `labels` of all rows.
    Embeddings are taken in the unit that they have before training.
    """

    def __init__(
        self, tail: Tail, labels: np.ndarray, seen: np.ndarray, setting: EpisodicSetting
    ) -> None:
        self._tail, self._setting = tail, setting
        self._rows, self._labels = np.flatnonzero(seen), labels[seen]
        self.variables = tail.variables
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(setting.rate, setting.rounds),
            global_clipnorm=CLIP,
        )
        self.optimizer.build(self.variables)
        before = tail.embeddings()[seen]
        mean = before.mean(axis=0)
        spread = np.square(before - mean).sum(axis=1).mean()
        self._mean = tf.constant(mean)
        self._unit = float(np.sqrt(VARIANCE / max(spread, 1e-12)))
        self._share = tf.Variable(_SHARE, trainable=False)
        self._learn = self._step()
        self._run = tf.function(self._episode, autograph=False)

    def round(self, number: int) -> float:
        """Learns from an episode, and answers the loss of its queries."""
        setting = self._setting
        seed = np.random.default_rng([setting.episode.seed, number]).integers(2**31)
        episode = dataclasses.replace(setting.episode, episodes=1, seed=int(seed))
        (shown,) = drawn(self._labels, episode)
        self._share.assign(_SHARE * (1 - number / setting.rounds))
        support, query = self._rows[shown.support], self._rows[shown.query]
        return float(
            self._run(
                tf.constant(support),
                tf.constant(shown.support_labels, tf.int32),
                tf.constant(query),
                tf.constant(shown.query_labels, tf.int32),
            )
        )

    def _step(self) -> Callable[[Embed, Shown], tf.Tensor]:
        setting = self._setting
        if setting.method == REPTILE:
            return towards_fitted(setting.rate, self._share, self.variables)
        return by_gradient(_LOSSES[setting.method], self.optimizer, self.variables)

    def _embed(self, inputs: tf.Tensor) -> tf.Tensor:
        return (self._tail.embed(inputs) - self._mean) * self._unit

    def _episode(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        query: tf.Tensor,
        query_labels: tf.Tensor,
    ) -> tf.Tensor:
        shown = Shown(
            self._tail.inputs(support),
            support_labels,
            self._tail.inputs(query),
            query_labels,
            self._setting.episode.ways,
        )
        return self._learn(self._embed, shown)
