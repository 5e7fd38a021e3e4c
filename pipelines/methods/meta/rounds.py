"""Rounds of meta-training, with progress on disk that the same call goes on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from pipelines.errors import ConfigError, TrainingError
from pipelines.methods.meta import saved
from pipelines.runtime import signals

_SAVE_EVERY = 10


class Learner(Protocol):
    """What is meta-trained: variables, their optimizer, and a round on new tasks."""

    @property
    def variables(self) -> Sequence[Any]:
        """What trains."""

    @property
    def optimizer(self) -> keras.optimizers.Optimizer:
        """What trains it, with moments."""

    def round(self, number: int) -> float:
        """Trains on the tasks of a round, and answers their mean loss."""


def train_rounds(
    learner: Learner,
    *,
    rounds: int,
    method: str,
    progress_file: Path,
    settings: dict[str, Any],
    on_progress: Callable[[int], None],
) -> tuple[float, ...]:
    """The mean loss of each round.

    Stands are written to `progress_file`, and one that is there is gone on from: the
    result is the same to the bit as without the interruption.

    Raises:
        ConfigError: if the file is of other `settings`, or damaged.
        TrainingError: if the losses are no longer finite.
    """
    losses: list[float] = []
    if progress_file.exists():
        progress = saved.load_progress(progress_file, settings, method=method)
        losses = _resumed(learner, progress)
    for number in range(len(losses), rounds):
        signals.obey()
        losses.append(learner.round(number))
        if not np.isfinite(losses[-1]):
            raise TrainingError(
                f"The loss of meta-training is {losses[-1]} in round {number + 1}. Use"
                " a smaller --rate, in a new --workdir."
            )
        if (number + 1) % _SAVE_EVERY == 0 or number + 1 == rounds:
            progress_file.parent.mkdir(parents=True, exist_ok=True)
            stand = _progress(learner, settings, losses)
            saved.save_progress(progress_file, stand, method=method)
        on_progress(number + 1)
    return tuple(losses)


def _resumed(learner: Learner, progress: saved.Progress) -> list[float]:
    """Gives the learner what was saved, and answers the losses so far.

    Raises:
        ConfigError: if it has other shapes.
    """
    for variables, parts in (
        (learner.variables, progress.weights),
        (learner.optimizer.variables, progress.moments),
    ):
        if [np.shape(v) for v in variables] != [np.shape(part) for part in parts]:
            raise ConfigError(
                "The saved progress of meta-training has arrays of other shapes. It was"
                " written by another version: start again in a new --workdir."
            )
    for variables, parts in (
        (learner.variables, progress.weights),
        (learner.optimizer.variables, progress.moments),
    ):
        for variable, part in zip(variables, parts):
            variable.assign(part)
    return list(progress.losses)


def _progress(
    learner: Learner, settings: dict[str, Any], losses: list[float]
) -> saved.Progress:
    return saved.Progress(
        settings,
        len(losses),
        tuple(np.array(variable) for variable in learner.variables),
        tuple(np.array(variable) for variable in learner.optimizer.variables),
        tuple(losses),
    )
