"""The rows by which classes are compared and judged, drawn by a seed."""

from __future__ import annotations

import numpy as np

from pipelines.calibration.portions import AT_ONCE

# With fewer than 8 compared examples a class looks harder than it is. Then only some
# classes are compared, and after that one penalty among all classes.
FEW_CLASSES = 100
_COMPARED_PER_CLASS = 8
_FEWEST_JUDGED = 500


def spread(labels: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """At most `count` rows, in order, by which classes can be compared.

    These are the rows of `of_every_class`; if that takes fewer than 8 of each class, 8
    of some classes, which are drawn by their sizes.
    """
    classes = len(np.unique(labels))
    enough = max(FEW_CLASSES, count // _COMPARED_PER_CLASS)
    if len(labels) <= count or classes <= enough:
        return of_every_class(labels, count=count, seed=seed)
    rows, sizes, rank = _class_by_class(labels, seed)
    # One row alone, left out, has no other to be recognized by.
    rows = rows[(rank < _COMPARED_PER_CLASS) & (np.repeat(sizes, sizes) > 1)]
    if not len(rows):
        return of_every_class(labels, count=count, seed=seed)
    drawn = np.random.default_rng(seed).permutation(len(labels))
    place = np.zeros(len(sizes), np.int64)
    place[labels[drawn[::-1]]] = np.arange(len(labels))[::-1]
    rows = rows[np.argsort(place[labels[rows]], kind="stable")]
    ends = np.flatnonzero(np.diff(labels[rows], append=-1)) + 1
    return np.sort(rows[: ends[ends <= count].max()])


def of_every_class(labels: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """At most `count` rows, in order, every class in proportion and at least once."""
    if len(labels) <= count:
        return np.arange(len(labels))
    by_class, sizes, rank = _class_by_class(labels, seed)
    # The first of each class comes first; the others by their share of the class.
    order = np.where(rank == 0, -1.0, rank / np.repeat(sizes, sizes))
    return np.sort(by_class[np.argsort(order, kind="stable")][:count])


def _class_by_class(
    labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of one class after the other, each shuffled; sizes; places in the class."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sizes = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return by_class, sizes, rank


def judged_rows(
    labels: np.ndarray, groups: np.ndarray | None, *, at_most: int, seed: int
) -> np.ndarray:
    """The rows that a probe of many classes is judged by, in whole groups.

    At most `at_most`, fewer where their answers would take too much memory; a first
    group that is larger is taken all the same.
    """
    classes = int(labels.max()) + 1
    count = min(at_most, max(_FEWEST_JUDGED, AT_ONCE // classes))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    if groups is None:
        return np.sort(shuffled[:count])
    of_some = np.unique(groups[shuffled[:count]])
    inside = np.flatnonzero(np.isin(groups, of_some))
    sizes = np.unique(groups[inside], return_counts=True)[1]
    fit_in = np.cumsum(sizes) <= max(count, sizes[0])
    return inside[np.isin(groups[inside], of_some[fit_in])]
