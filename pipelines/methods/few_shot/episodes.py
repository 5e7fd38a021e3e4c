"""Episodes: small tasks drawn from a labelled data set, and answers counted on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from pipelines.errors import ConfigError, DataError


class Scorer(Protocol):
    """A solved head."""

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The scores of rows `[n, width]`, `[n, classes]`."""


Solve = Callable[[np.ndarray, np.ndarray], Scorer]


@dataclasses.dataclass(frozen=True)
class Setting:
    """The size of an episode, and how many are drawn.

    An episode has `ways` classes, with `shots` examples of each to learn from (the
    support set) and `queries` to be judged by (the query set).
    """

    ways: int = 5
    shots: int = 5
    queries: int = 15
    episodes: int = 600
    seed: int = 0

    def check(self) -> None:
        """Raises `ConfigError` for an episode that nobody can draw."""
        least = {"ways": 2, "shots": 1, "queries": 1, "episodes": 2, "seed": 0}
        for name, bound in least.items():
            value = getattr(self, name)
            if value < bound:
                why = (
                    " An episode of one class has nothing to distinguish."
                    if name == "ways"
                    else ""
                )
                raise ConfigError(f"{name} is {value}; allowed: {bound} or more.{why}")

    def classes_of(self, labels: np.ndarray) -> np.ndarray:
        """The classes with enough examples for an episode."""
        present, counts = np.unique(labels, return_counts=True)
        return present[counts >= self.shots + self.queries]

    def require_classes(self, labels: np.ndarray, *, where: str) -> np.ndarray:
        """The classes that episodes are drawn from.

        Raises:
            DataError: if there are too few, by number or by examples.
        """
        classes = self.classes_of(labels)
        if len(classes) >= self.ways:
            return classes
        _, counts = np.unique(labels, return_counts=True)
        if len(counts) < self.ways:
            raise DataError(
                f"{where} has {len(counts)} classes, and an episode has {self.ways}."
                f" Use at most {len(counts)} ways, or data with more classes."
            )
        largest = np.sort(counts)[-self.ways]
        raise DataError(
            f"An episode takes {self.shots} shots and {self.queries} queries of each of"
            f" {self.ways} classes, and {where} has {len(classes)} classes with"
            f" {self.shots + self.queries} examples or more. {self.ways} classes have"
            f" {largest} or more: use fewer shots or queries, or fewer ways."
        )

    def smaller(self, labels: np.ndarray, *, episodes: int) -> Setting | None:
        """A setting that these classes are enough for; None without one."""
        ways = min(self.ways, len(self.classes_of(labels)))
        if ways < 2:
            return None
        return dataclasses.replace(self, ways=ways, episodes=episodes)


@dataclasses.dataclass(frozen=True, eq=False)
class Episode:
    """Row numbers of support and query set, with labels from 0 for each."""

    support: np.ndarray
    support_labels: np.ndarray
    query: np.ndarray
    query_labels: np.ndarray


def drawn(labels: np.ndarray, setting: Setting) -> Iterator[Episode]:
    """Yields the episodes of a setting; the same seed gives the same ones."""
    rng = np.random.default_rng(setting.seed)
    classes = setting.classes_of(labels)
    rows_of = {label: np.flatnonzero(labels == label) for label in classes}
    size = setting.shots + setting.queries
    for _ in range(setting.episodes):
        ways = rng.choice(classes, setting.ways, replace=False)
        rows = np.stack([rng.permutation(rows_of[label])[:size] for label in ways])
        places = np.arange(setting.ways)
        yield Episode(
            rows[:, : setting.shots].ravel(),
            np.repeat(places, setting.shots),
            rows[:, setting.shots :].ravel(),
            np.repeat(places, setting.queries),
        )


def accuracies(
    rows: np.ndarray,
    labels: np.ndarray,
    setting: Setting,
    heads: Sequence[Solve],
    *,
    on_progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The accuracy of every head on every episode, `[heads, episodes]`."""
    results = np.empty((len(heads), setting.episodes))
    # Thousands of products of small matrices: threads would wait for each other.
    with threadpool_limits(1):
        for number, episode in enumerate(drawn(labels, setting)):
            support, query = rows[episode.support], rows[episode.query]
            for place, solve in enumerate(heads):
                scores = solve(support, episode.support_labels).scores(query)
                results[place, number] = np.mean(
                    scores.argmax(axis=1) == episode.query_labels
                )
            if on_progress is not None:
                on_progress(number + 1)
    return results


def interval(values: np.ndarray) -> float:
    """Half of the 95 % confidence interval of a mean over episodes."""
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))
