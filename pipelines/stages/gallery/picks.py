"""The choice of the examples that the page of a run shows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

# Bounds of a page that opens at once, for any number of classes: 200 in all.
_MOST = {"mistake": 60, "pair": 40, "typical": 50, "sample": 50}
_PER_CLASS = 4
_PER_PAIR = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Answered:
    """The answers for a split: true and predicted classes and confidence, `[n]` each.

    `features` are float32 `[n, width]`.
    """

    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    features: np.ndarray


def pick(answered: Answered) -> dict[str, list[int]]:
    """Rows of a split by role: `mistake`, `pair` and `typical`, best first.

    Mistakes are the most confident ones. Pairs are mistakes of the pairs of classes
    that are confused most often. Typical are right answers whose features lie nearest
    to the mean of their class, of classes with the most mistakes first.
    """
    order = np.argsort(-answered.confidence, kind="stable")
    is_wrong = answered.predicted != answered.labels
    wrong = order[is_wrong[order]]
    return {
        "mistake": _mistakes(answered, wrong)[: _MOST["mistake"]],
        "pair": _confused(answered, wrong)[: _MOST["pair"]],
        "typical": _typical(answered, wrong)[: _MOST["typical"]],
    }


def _mistakes(answered: Answered, wrong: np.ndarray) -> list[int]:
    ranked = _ranked(wrong, answered.labels[wrong])
    return [row for rank, row in ranked if rank < _PER_CLASS]


def _confused(answered: Answered, wrong: np.ndarray) -> list[int]:
    pairs = list(
        zip(answered.labels[wrong].tolist(), answered.predicted[wrong].tolist())
    )
    times = Counter(pairs)
    ranked = [
        (-times[pair], pair, rank, row)
        for pair, (rank, row) in zip(pairs, _ranked(wrong, pairs))
        if rank < _PER_PAIR
    ]
    return [row for *_, row in sorted(ranked)]


def _typical(answered: Answered, wrong: np.ndarray) -> list[int]:
    labels = answered.labels
    mistakes = Counter(labels[wrong].tolist())
    is_right = np.ones(len(labels), bool)
    is_right[wrong] = False
    near = _nearest_to_mean(answered, np.flatnonzero(is_right))
    # The first of every class, and then the second of every class.
    ranked = [
        (rank, -mistakes[label], label, row)
        for label, (rank, row) in zip(
            labels[near].tolist(), _ranked(near, labels[near])
        )
        if rank < _PER_CLASS
    ]
    return [row for *_, row in sorted(ranked)]


def samples(labels: np.ndarray) -> list[int]:
    """Rows of training examples, spread evenly over each class, four at most."""
    rows = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        places = np.linspace(0, len(members) - 1, min(_PER_CLASS, len(members)))
        rows += [(rank, int(members[int(at)])) for rank, at in enumerate(places)]
    return [row for _, row in sorted(rows)[: _MOST["sample"]]]


def _ranked(rows: Iterable[int], keys: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """Each row with the number of rows before it that have the same key."""
    seen: dict[Any, int] = {}
    for row, key in zip(rows, keys):
        rank = seen.get(key, 0)
        seen[key] = rank + 1
        yield rank, int(row)


def _nearest_to_mean(answered: Answered, rows: np.ndarray) -> np.ndarray:
    """The rows by distance of their features to the mean of their class."""
    spread = answered.features.std(axis=0) + 1e-6
    distance = np.empty(len(rows))
    for label in np.unique(answered.labels[rows]):
        places = np.flatnonzero(answered.labels[rows] == label)
        features = answered.features[rows[places]] / spread
        distance[places] = np.square(features - features.mean(axis=0)).sum(axis=1)
    return rows[np.argsort(distance, kind="stable")]
