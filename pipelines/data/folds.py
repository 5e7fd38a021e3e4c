"""Folds: every example is left out once, with its group."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.joined import joined
from pipelines.data.names import listing
from pipelines.data.splits import Splits
from pipelines.data.targets.choice import kind_of
from pipelines.errors import DataError


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


def pooled(splits: Splits) -> Splits:
    """The splits of a run with folds: train and validation together, as both of them.

    Each of these examples is trained on and, in another fold, left out. Test stays.
    """
    every = joined(splits.train, splits.validation, name="train")
    as_validation = dataclasses.replace(every, name="validation")
    return dataclasses.replace(splits, train=every, validation=as_validation)


def without_fold(splits: Splits, own: np.ndarray) -> Splits:
    """The splits of one fold of pooled ones: it is validation, and the others train.

    `own` are the examples of the fold, bool `[n]`.
    """
    validation = splits.validation.take(np.flatnonzero(own))
    train = splits.train.take(np.flatnonzero(~own))
    return dataclasses.replace(splits, train=train, validation=validation)


def require_one_in_each(splits: Splits, *, count: int) -> None:
    """Checks that each class has an independent example for every fold.

    Raises:
        DataError: naming the classes, what they have and what to do.
    """
    info, train = splits.info, splits.train
    kind = kind_of(info.problem)
    groups = np.arange(len(train)) if train.groups is None else train.groups
    have = kind.count_independent(
        train.labels,
        np.unique(groups, return_inverse=True)[1],
        info.class_names,
    )
    short = [(name, number) for name, number in have if number < count]
    if not short:
        return
    fewest = min(number for _, number in short)
    named = listing((f"{name!r} has {number}" for name, number in short), shown=10)
    fewer = f"Set config.folds to at most {fewest}, add" if fewest > 1 else "Add"
    raise DataError(
        f"config.folds is {count}, and every {kind.noun} needs at least as many"
        " independent examples in train and validation together, one for each fold:"
        f" {named}. Examples with the same content or group count as one. {fewer}"
        " examples, or leave config.folds out."
    )
