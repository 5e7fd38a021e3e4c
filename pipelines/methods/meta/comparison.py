"""A learned optimizer beside tuned ones, on tasks of classes that none has seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.meta.hypergradient import HypergradientAdam
from pipelines.methods.meta.learned_optimizer import LearnedOptimizer
from pipelines.methods.meta.tasks import (
    Tasks,
    TaskSetting,
    draw_tasks,
    gradient_of,
    loss_of,
)
from pipelines.methods.meta.update_rule import UpdateRule

# What a loss is of: the examples that a head is fitted to, or others of its classes.
FITTED, UNSEEN = "fitted", "unseen"
MARKS = (5, 20, 50, 100, 200)
_RATES = {
    "adam": (0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12),
    "sgd": (0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0),
    "hypergradient_adam": (0.001, 0.004, 0.016, 0.06),
}
_TASKS = 20
# Rounds of meta-training count from 0: tasks of these were not trained on.
_TUNING, _JUDGING = 1_000_001, 1_000_002


@dataclasses.dataclass(frozen=True)
class Compared:
    """The mean loss of two optimizers after some steps, on the same held-out tasks.

    `examples` are the ones that heads were fitted to, `fitted`, or `unseen` ones.

    `gain` is how much lower the learned one's is, with half of its 95 % interval over
    tasks. `rate` is the peer's, the best at this step on tasks of other classes.
    """

    examples: str
    step: int
    peer: str
    rate: float
    learned: float
    loss: float
    gain: float
    interval: float


def compared(
    rule: UpdateRule, seen: Examples, held_out: Examples, setting: TaskSetting
) -> tuple[Compared, ...]:
    """A learned optimizer against each peer at each of `MARKS`, on 20 tasks."""
    tuning, judging = (
        draw_tasks(
            part.labels,
            setting,
            width=part.features.shape[1],
            steps=MARKS[-1],
            count=_TASKS,
            seed=(setting.episode.seed, number),
        )
        for part, number in ((seen, _TUNING), (held_out, _JUDGING))
    )
    learned = losses_of(LearnedOptimizer(rule), held_out.features, judging)
    results = []
    for peer, rates in _RATES.items():
        tuned = {
            rate: losses_of(_peer(peer, rate), seen.features, tuning) for rate in rates
        }
        best = _best_rates(tuned)
        judged = {
            rate: losses_of(_peer(peer, rate), held_out.features, judging)
            for rate in set(best.values())
        }
        for (examples, step), rate in best.items():
            at = ((FITTED, UNSEEN).index(examples), MARKS.index(step))
            pair = (learned[at], judged[rate][at])
            results.append(_paired(examples, step, peer, rate, *pair))
    return tuple(results)


def _best_rates(tuned: Mapping[float, np.ndarray]) -> dict[tuple[str, int], float]:
    """The rate with the least loss of either kind at each mark."""
    return {
        (examples, step): min(tuned, key=lambda rate: tuned[rate][kind, mark].mean())
        for kind, examples in enumerate((FITTED, UNSEEN))
        for mark, step in enumerate(MARKS)
    }


def _paired(
    examples: str,
    step: int,
    peer: str,
    rate: float,
    learned: np.ndarray,
    loss: np.ndarray,
) -> Compared:
    gain = loss - learned
    half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
    return Compared(
        examples=examples,
        step=step,
        peer=peer,
        rate=rate,
        learned=float(learned.mean()),
        loss=float(loss.mean()),
        gain=float(gain.mean()),
        interval=float(half),
    )


def _peer(name: str, rate: float) -> keras.optimizers.Optimizer:
    if name == "hypergradient_adam":
        return HypergradientAdam(rate)
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})


def losses_of(
    optimizer: keras.optimizers.Optimizer, features: np.ndarray, tasks: Tasks
) -> np.ndarray:
    """The losses of each task at each of `MARKS`, `[2, marks, tasks]`.

    The first are of its support set, which it is fitted to, the second of its queries.

    A task is one variable, as its head: an optimizer may look at all of a variable.
    """
    rows = tf.constant(features)
    heads = [keras.Variable(start) for start in tasks.start]
    optimizer.build(heads)

    @tf.function(autograph=False)
    def step(batches: tf.Tensor, labels: tf.Tensor) -> None:
        stacked = tf.stack([tf.convert_to_tensor(head) for head in heads])
        gradient = gradient_of(stacked, tf.gather(rows, batches), labels)
        optimizer.apply(tf.unstack(gradient), heads)

    # Traced once, or TensorFlow warns of functions that are made again and again.
    inputs = (tf.constant(tasks.batches[0]), tf.constant(tasks.batch_labels[0]))
    traced = step.get_concrete_function(*inputs)
    judged: list[Any] = []
    for number, (batches, labels) in enumerate(zip(tasks.batches, tasks.batch_labels)):
        traced(tf.constant(batches), tf.constant(labels))
        if number + 1 in MARKS:
            stacked = tf.stack([tf.convert_to_tensor(head) for head in heads])
            judged.append(
                [
                    loss_of(stacked, tf.gather(rows, of), tf.constant(labels)).numpy()
                    for of, labels in (
                        (tasks.support, tasks.support_labels),
                        (tasks.queries, tasks.query_labels),
                    )
                ]
            )
    return np.array(judged).swapaxes(0, 1)
