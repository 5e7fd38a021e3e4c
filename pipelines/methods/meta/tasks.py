"""Tasks to train an optimizer on: heads of a few classes on frozen features."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.errors import ConfigError, DataError
from pipelines.methods.few_shot.episodes import Setting, drawn
from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.few_shot.vectors import normalization

# A feature that hardly varied in the classes before would outweigh all others.
_MOST_DEVIATIONS = 3.0


@dataclasses.dataclass(frozen=True)
class TaskSetting:
    """Tasks of an episode each: a head is fitted to its support set.

    A step reads `batch` examples of the support set, drawn with replacement.
    """

    episode: Setting
    batch: int = 32

    def check(self) -> None:
        """Raises `ConfigError` for tasks that nobody can draw."""
        self.episode.check()
        if self.batch < 1:
            raise ConfigError(f"batch is {self.batch}; allowed: 1 or more.")


@dataclasses.dataclass(frozen=True, eq=False)
class Tasks:
    """Several tasks side by side, which take their steps together.

    Shapes: `batches` `[steps, tasks, batch]`, `support` and `queries` `[tasks, n]`
    number rows, `start` is `[tasks, width + 1, ways]`, its last row the bias.
    """

    batches: np.ndarray
    batch_labels: np.ndarray
    support: np.ndarray
    support_labels: np.ndarray
    queries: np.ndarray
    query_labels: np.ndarray
    start: np.ndarray


def halves(read: Examples, setting: Setting, *, where: str) -> tuple[Examples, ...]:
    """Examples to meta-train on, and those of the other classes to judge by.

    Features are in units of their deviation in the former.

    Raises:
        DataError: if either has too few classes for a task.
    """
    is_seen = seen_classes(read.labels, setting, where=where)
    scale = normalization(read.features[is_seen], scaled=True)
    rows = ((read.features - scale.mean) / scale.scale).astype(np.float32)
    rows = rows.clip(-_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    return tuple(
        Examples(rows[part], read.labels[part]) for part in (is_seen, ~is_seen)
    )


def seen_classes(labels: np.ndarray, setting: Setting, *, where: str) -> np.ndarray:
    """Which examples are of classes to meta-train on, bool `[n]`: half of all classes.

    Raises:
        DataError: if either half has too few classes for a task.
    """
    every = np.unique(labels)
    if len(every) < 2 * setting.ways:
        raise DataError(
            f"{where} has {len(every)} classes. Half of them are kept to judge by, so"
            f" tasks of {setting.ways} classes take {2 * setting.ways}. Use at most"
            f" {len(every) // 2} ways, or data with more classes."
        )
    order = np.random.default_rng(setting.seed).permutation(every)
    is_seen = np.isin(labels, order[: len(every) // 2])
    for part, name in (
        (is_seen, "meta-training"),
        (~is_seen, "the classes to judge by"),
    ):
        setting.require_classes(labels[part], where=f"{where}, {name},")
    return is_seen


def draw_tasks(
    labels: np.ndarray,
    setting: TaskSetting,
    *,
    width: int,
    steps: int,
    count: int,
    seed: Sequence[int],
) -> Tasks:
    """New tasks; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    episode = dataclasses.replace(
        setting.episode, episodes=count, seed=int(rng.integers(2**31))
    )
    episodes = list(drawn(labels, episode))
    places = rng.integers(
        len(episodes[0].support), size=(steps, count, setting.batch)
    ).swapaxes(0, 1)
    # The start of a Keras `Dense` layer.
    limit = np.sqrt(6 / (width + episode.ways))
    start = rng.uniform(-limit, limit, (count, width + 1, episode.ways))
    start[:, -1] = 0

    def taken(part: str) -> np.ndarray:
        picked = [getattr(e, part)[p] for e, p in zip(episodes, places)]
        return np.stack(picked, axis=1)

    def whole(part: str) -> np.ndarray:
        return np.stack([getattr(e, part) for e in episodes])

    return Tasks(
        taken("support"),
        taken("support_labels"),
        whole("support"),
        whole("support_labels"),
        whole("query"),
        whole("query_labels"),
        start.astype(np.float32),
    )


def loss_of(heads: tf.Tensor, rows: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The cross-entropy of each task, `[tasks]`; rows are `[tasks, n, width]`."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels, _logits(heads, rows)
    )
    return tf.reduce_mean(losses, axis=1)


def gradient_of(heads: tf.Tensor, rows: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The gradient of each task's loss by its head, shaped like the heads.

    In closed form: a tape inside the tape of meta-training costs twice the time.
    """
    ways = heads.shape[-1]
    wrong = tf.nn.softmax(_logits(heads, rows)) - tf.one_hot(labels, ways)
    wrong /= tf.cast(tf.shape(rows)[1], tf.float32)
    kernel = tf.matmul(rows, wrong, transpose_a=True)
    return tf.concat([kernel, tf.reduce_sum(wrong, axis=1, keepdims=True)], axis=1)


def _logits(heads: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return tf.matmul(rows, heads[:, :-1]) + heads[:, -1:]
