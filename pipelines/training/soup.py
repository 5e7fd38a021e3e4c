"""A greedy soup: the average of the best epochs that are better together.

Greedy as in https://arxiv.org/abs/2203.05482, but of epochs of one run, as AutoGluon
averages its best three (https://arxiv.org/abs/2404.16233).
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
    """Keeps the trainable weights of the `at_most` best epochs.

    Frozen weights are the same in every epoch, so they are not copied.
    """

    def __init__(self, *, at_most: int, metric: str = "accuracy") -> None:
        super().__init__()
        self._metric = metric
        self._at_most = at_most
        self._best: list[_Ingredient] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        reached = score(logs[f"val_{self._metric}"], logs["val_loss"])
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
        # Stable: the earlier of two equal epochs comes first, as with `BestWeights`.
        self._best.sort(key=lambda ingredient: ingredient.reached, reverse=True)

    def get_state(self) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
        """The best epochs and their weights, for a checkpoint."""
        best = [{"reached": i.reached, "epoch": i.epoch} for i in self._best]
        return {"best": best}, [value for i in self._best for value in i.values]

    def set_state(
        self, values: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> None:
        """Restores the state that `get_state` returned."""
        best = values["best"]
        n = len(arrays) // len(best) if best else 0
        self._best = [
            _Ingredient(
                tuple(record["reached"]), record["epoch"], arrays[i * n : (i + 1) * n]
            )
            for i, record in enumerate(best)
        ]

    def serve(self, validate: Callable[[], tuple[float, float]]) -> Served:
        """Puts the soup into the trained model, which has the best epoch now.

        Each next epoch is averaged with the epochs taken so far, and is taken if that
        validates better. `validate` returns accuracy and loss of the model as it is. So
        the soup is never worse on validation than the best epoch.
        """
        if not self._best:
            return Served((), None)
        first, *others = self._best
        taken, total, reached = [first.epoch], list(first.values), first.reached
        for other in others:
            tried = [a + b for a, b in zip(total, other.values)]
            self._put(tried, count=len(taken) + 1)
            tried_score = score(*validate())
            if tried_score > reached:
                taken, total, reached = [*taken, other.epoch], tried, tried_score
        self._put(total, count=len(taken))
        return Served(tuple(sorted(taken)), reached)

    def _put(self, total: Sequence[np.ndarray], *, count: int) -> None:
        for variable, value in zip(self.model.trainable_variables, total, strict=True):
            variable.assign(value / count)


@dataclasses.dataclass(frozen=True)
class Served:
    """The epochs in a soup, in order, and its score; both empty without a soup."""

    epochs: tuple[int, ...]
    reached: Score | None
