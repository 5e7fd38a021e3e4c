"""Folds: every example is left out once, with its group."""

from __future__ import annotations

import numpy as np

from pipelines.data.targets.choice import kind_of


def folds_of(
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    problem: str,
    count: int,
    seed: int,
) -> np.ndarray:
    """The fold of every example, int64 `[n]`, from 0 to `count - 1`.

    Dealt as splits are: labels keep their shares in each fold, as near as whole groups
    allow. `labels` are of the kind of `problem`, and `groups` are as in `Split`.
    """
    numbers = np.arange(len(labels)) if groups is None else groups
    return kind_of(problem).deal(
        labels,
        np.unique(numbers, return_inverse=True)[1],
        held_out=[1 / count] * (count - 1),
        seed=seed,
    )
