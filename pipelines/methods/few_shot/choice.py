"""The head that answers best for examples that were left out of its fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from pipelines.methods.few_shot.heads import HEADS, Linear

AUTO = "auto"
CHOICES = (AUTO, *HEADS)
# This many examples are left out one by one, more of them in tenths.
_ONE_BY_ONE = 50
_FOLDS = 10
# Factors on scores; a centroid's scores on rows of length 1 are far too even.
_SHARPNESS = np.geomspace(0.1, 1000, 41)
_USUAL_SHARPNESS = 10.0


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """A solved head: its name, its accuracy on examples left out, and why it is it.

    `left_out` are the accuracies of all heads that were compared; they are empty where
    a class has one example only, so that nothing can be left out.
    """

    name: str
    linear: Linear
    left_out: Mapping[str, float]
    reason: str


def choose(rows: np.ndarray, labels: np.ndarray, *, head: str, seed: int = 0) -> Chosen:
    """The head of this name, or with `auto` the best one, with sharp probabilities.

    `rows` are `[n, width]` of length 1, and `labels` whole numbers from 0 without gaps.
    The log loss of examples left out decides, at the sharpness of scores where it is
    least for each head.
    """
    names = tuple(HEADS) if head == AUTO else (head,)
    # Products of small matrices, again and again: threads would wait for each other.
    with threadpool_limits(1):
        return _chosen(rows, labels, names, seed=seed)


def _chosen(
    rows: np.ndarray, labels: np.ndarray, names: Sequence[str], *, seed: int
) -> Chosen:
    if np.bincount(labels).min() < 2:
        name = names[0]
        return Chosen(
            name,
            HEADS[name](rows, labels).sharpened(_USUAL_SHARPNESS),
            {},
            f"{name}: a class has one example only, so none can be left out to compare"
            " heads by.",
        )
    folds = list(_folds(labels, seed=seed))
    scores = {name: _left_out(HEADS[name], rows, labels, folds) for name in names}
    accuracy = {
        name: float((of.argmax(axis=1) == labels).mean()) for name, of in scores.items()
    }
    sharpest = {name: _sharpness(of, labels) for name, of in scores.items()}
    name = min(sharpest, key=lambda name: sharpest[name][1])
    linear = HEADS[name](rows, labels).sharpened(sharpest[name][0])
    compared = ", ".join(f"{other} {value:.3f}" for other, value in accuracy.items())
    return Chosen(
        name,
        linear,
        accuracy,
        f"{name}: accuracy on {len(labels)} examples that were left out: {compared}.",
    )


def _folds(labels: np.ndarray, *, seed: int) -> Iterator[np.ndarray]:
    """Row numbers that are left out together, never all of a class."""
    n = len(labels)
    if n <= _ONE_BY_ONE:
        yield from np.arange(n)[:, None]
        return
    order = np.random.default_rng(seed).permutation(n)
    order = order[np.argsort(labels[order], kind="stable")]
    # Neighbours are of one class: every tenth example leaves most of each class.
    yield from (order[start::_FOLDS] for start in range(_FOLDS))


def _left_out(
    solve: Callable[[np.ndarray, np.ndarray], Linear],
    rows: np.ndarray,
    labels: np.ndarray,
    folds: list[np.ndarray],
) -> np.ndarray:
    """The scores of every row by a head that did not see it, `[n, classes]`."""
    scores = np.empty((len(rows), int(labels.max()) + 1))
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(rows)), fold)
        scores[fold] = solve(rows[rest], labels[rest]).scores(rows[fold])
    return scores


def _sharpness(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The factor on scores with the least log loss, and that loss."""
    truth = (np.arange(len(labels)), labels)
    losses = [
        -log_softmax(scores * factor, axis=1)[truth].mean() for factor in _SHARPNESS
    ]
    best = int(np.argmin(losses))
    return float(_SHARPNESS[best]), float(losses[best])
