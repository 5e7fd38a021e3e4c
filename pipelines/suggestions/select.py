"""Greedy choice of examples that are uncertain, alike to many others, and unlike known.

Facility location: every example of the pool counts by how uncertain its answer is, and
is covered by the most similar one that is labelled or chosen. The next one is the one
that covers most of what is uncertain and not covered yet, so that a batch has no two of
a kind. The greedy choice is within 1 - 1/e of the best
(https://doi.org/10.1007/BF01588971); for learning with few labels:
https://proceedings.mlr.press/v37/wei15.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from pipelines.probing.probe import standardization_of

# Of a larger pool these are looked at: distances of all pairs lie in memory, 64 MiB.
MOST = 4000
# Examples within the median distance of the 20th neighbour are alike.
_NEIGHBOUR = 20
_LEAST_WIDTH = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """Rows of the pool in the order of choice, and the margin of all of its rows.

    A margin is the largest probability minus the second one: 0 is most uncertain.
    """

    rows: np.ndarray
    margins: np.ndarray


def choose(
    features: np.ndarray,
    probabilities: np.ndarray,
    known: np.ndarray,
    *,
    count: int,
    seed: int = 0,
    most: int = MOST,
    on_progress: Callable[[int], None] | None = None,
) -> Chosen:
    """The `count` examples of a pool to label next, or all if there are no more.

    `features` are `[pool, width]`, `probabilities` `[pool, classes]`, and `known` the
    features of labelled examples, `[labelled, width]`, which may be none. Of a pool
    with more than `most` rows, half of the ones that are looked at are the most
    uncertain, and half are drawn.
    """
    margins = _margins(probabilities)
    rows = _looked_at(margins, most, seed)
    known = known[_spread(len(known), most)]
    vectors, labelled = _unit_vectors(features[rows], known)
    order = _greedy(vectors, labelled, 1 - margins[rows], count, on_progress)
    return Chosen(rows[order], margins)


def _margins(probabilities: np.ndarray) -> np.ndarray:
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    two = np.partition(probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def _looked_at(margins: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(margins) <= most:
        return np.arange(len(margins))
    order = np.argsort(margins, kind="stable")
    uncertain, rest = order[: most // 2], order[most // 2 :]
    drawn = np.random.default_rng(seed).choice(rest, most - most // 2, replace=False)
    return np.sort(np.concatenate([uncertain, drawn]))


def _spread(count: int, most: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def _unit_vectors(
    features: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both in the standardization of the pool, as vectors of length 1."""
    standardize = standardization_of([features])
    parts = (standardize([features]), standardize([known]))
    pool, labelled = (
        part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), _LEAST_WIDTH)
        for part in parts
    )
    return pool, labelled


def _greedy(
    vectors: np.ndarray,
    labelled: np.ndarray,
    weights: np.ndarray,
    count: int,
    on_progress: Callable[[int], None] | None,
) -> np.ndarray:
    """Rows in the order of choice."""
    away = _squared_distances(vectors, vectors)
    width = _width(away)
    alike = np.exp(-away / (2 * width), out=away)
    covered = np.zeros(len(vectors), np.float32)
    if len(labelled):
        near = _squared_distances(vectors, labelled).min(axis=1)
        covered = np.exp(-near / (2 * width))
    weights = np.maximum(weights, _LEAST_WIDTH).astype(np.float32)
    order: list[int] = []
    is_left = np.ones(len(vectors), bool)
    for done in range(min(count, len(vectors))):
        gains = np.maximum(alike - covered[:, None], 0).T @ weights
        row = int(np.where(is_left, gains, -1).argmax())
        order.append(row)
        is_left[row] = False
        np.maximum(covered, alike[row], out=covered)
        if on_progress:
            on_progress(done + 1)
    return np.array(order, np.int64)


def _width(away: np.ndarray) -> float:
    """The median squared distance to the 20th neighbour."""
    place = min(_NEIGHBOUR, len(away) - 1)
    return max(
        float(np.median(np.partition(away, place, axis=1)[:, place])), _LEAST_WIDTH
    )


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of vectors of length 1, `[rows of a, rows of b]`."""
    return np.maximum(2 - 2 * (a @ b.T), 0).astype(np.float32)
