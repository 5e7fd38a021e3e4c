"""How many clusters: as many as come out alike from either half of the examples."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from pipelines.runtime.clock import Ticker

FEWEST, MOST = 2, 20
_REPEATS, _STARTS = 6, 3
# Rows that a choice is made on: more change it little.
MOST_ROWS = 3000
_SILHOUETTE_ROWS = 1000


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A number of clusters, and how far two halves of the examples agree on them.

    `stability` is the adjusted Rand index of k-means on one half and on the other, for
    all examples; `by_chance` the one where each number of the features is shuffled, so
    that no clusters are left. `worth` is how much of the way from there to 1 it goes:
    https://doi.org/10.1162/089976604773717621. `silhouette` is -1 to 1.
    """

    k: int
    stability: float
    by_chance: float
    worth: float
    silhouette: float


def candidates_of(reduced: np.ndarray, *, seed: int) -> tuple[Candidate, ...]:
    """Every number of clusters from 2 to 20, for features `[n, width]`.

    Fewer where there are not five examples a cluster. 3,000 examples are looked at.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(reduced))[:MOST_ROWS]
    some = reduced[np.sort(rows)]
    shuffled = np.stack([rng.permutation(column) for column in some.T], axis=1)
    most = max(FEWEST, min(MOST, len(some) // 5))
    tick = Ticker("numbers of clusters", most - FEWEST + 1)
    found = []
    for k in range(FEWEST, most + 1):
        stability, chance = (_agreement(x, k, rng) for x in (some, shuffled))
        worth = (stability - chance) / max(1 - chance, 1e-9)
        found.append(Candidate(k, stability, chance, worth, _apart(some, k, seed)))
        tick(len(found))
    return tuple(found)


def best(candidates: tuple[Candidate, ...]) -> int:
    """The number that is worth most; of equal ones the smaller."""
    return max(candidates, key=lambda candidate: (candidate.worth, -candidate.k)).k


def k_means(reduced: np.ndarray, k: int, *, seed: int, starts: int = 10) -> KMeans:
    """K-means, the best of several starts, fitted to features `[n, width]`."""
    return KMeans(k, n_init=starts, random_state=seed).fit(reduced)


def _agreement(rows: np.ndarray, k: int, rng: np.random.Generator) -> float:
    found = []
    for repeat in range(_REPEATS):
        order = rng.permutation(len(rows))
        halves = np.array_split(order, 2)
        answers = [
            k_means(rows[half], k, seed=repeat, starts=_STARTS).predict(rows)
            for half in halves
        ]
        found.append(adjusted_rand_score(*answers))
    return float(np.mean(found))


def _apart(rows: np.ndarray, k: int, seed: int) -> float:
    assigned = k_means(rows, k, seed=seed, starts=_STARTS).labels_
    if len(np.unique(assigned)) < 2:
        return 0.0
    size = min(_SILHOUETTE_ROWS, len(rows))
    return float(silhouette_score(rows, assigned, sample_size=size, random_state=seed))
