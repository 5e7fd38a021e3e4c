"""A greedy soup: the average of those of the best epochs that are better together.

Greedy as in https://arxiv.org/abs/2203.05482, of checkpoints of one run, as AutoGluon
does with its best three (https://arxiv.org/abs/2404.16233).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from pipelines.training.callbacks import Score, score


@dataclasses.dataclass(frozen=True, eq=False)
class _Ingredient:
    reached: Score
    epoch: int
    values: Sequence[np.ndarray]


class Soup(keras.callbacks.Callback):
    """Remembers what trains, at the end of as many of the best epochs as asked for.

    Frozen weights are in every epoch the same, so a copy of the others is all it holds
    of each.
    """

    def __init__(self, *, at_most: int) -> None:
        super().__init__()
        self._at_most = at_most
        self._best: list[_Ingredient] = []

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        reached = score(logs["val_accuracy"], logs["val_loss"])
        if not self._at_most or not np.isfinite(reached[1]):
            return
        if len(self._best) == self._at_most:
            if reached <= self._best[-1].reached:
                return
            del self._best[-1]  # before the next is copied
        values = [
            keras.ops.convert_to_numpy(variable).copy()
            for variable in self.model.trainable_variables
        ]
        self._best.append(_Ingredient(reached, epoch + 1, values))
        # Stable: of equal ones the earlier comes first, as with `BestWeights`.
        self._best.sort(key=lambda one: one.reached, reverse=True)

    def get_state(self) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
        """All that it holds, for a checkpoint."""
        best = [{"reached": one.reached, "epoch": one.epoch} for one in self._best]
        return {"best": best}, [value for one in self._best for value in one.values]

    def set_state(
        self, values: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> None:
        """Goes on from what was remembered."""
        best = values["best"]
        each = len(arrays) // len(best) if best else 0
        self._best = [
            _Ingredient(
                tuple(one["reached"]), one["epoch"], arrays[i * each : (i + 1) * each]
            )
            for i, one in enumerate(best)
        ]

    def serve(self, validate: Callable[[], tuple[float, float]]) -> Served:
        """Puts the soup into the model that was trained, which has the best epoch now.

        From the best epoch on, each next one is averaged with those taken so far, and
        taken if `validate`, which gives accuracy and loss of the model as it is, finds
        that better. So the soup is never worse on validation than the best epoch.
        """
        if not self._best:
            return Served((), None)
        first, *others = self._best
        taken, total, reached = [first.epoch], list(first.values), first.reached
        for other in others:
            tried = [a + b for a, b in zip(total, other.values)]
            self._put(tried, count=len(taken) + 1)
            found = score(*validate())
            if found > reached:
                taken, total, reached = [*taken, other.epoch], tried, found
        self._put(total, count=len(taken))
        return Served(tuple(sorted(taken)), reached)

    def _put(self, total: Sequence[np.ndarray], *, count: int) -> None:
        for variable, value in zip(self.model.trainable_variables, total, strict=True):
            variable.assign(value / count)


@dataclasses.dataclass(frozen=True)
class Served:
    """The epochs in a soup, in order, and what it reaches; neither without a soup."""

    epochs: tuple[int, ...]
    reached: Score | None
