"""Groups of examples that must stay together, and their assignment to splits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from pipelines.data.packed_strings import Strings
from pipelines.data.splits import Examples


def group_ids(examples: Examples, content: np.ndarray) -> np.ndarray:
    """The group id of every example, `[n]`, equal for equal content or a common group.

    `content` has a code for the content of each example, `[n]`.
    """
    if examples.groups is None:
        return connected_groups(content)
    return connected_groups(content, Strings.of(examples.groups).codes())


def connected_groups(*codes: np.ndarray) -> np.ndarray:
    """Numbers the connected components of examples that share a code, `[n]`.

    Every argument has a code per example; two examples with an equal code in the same
    argument are connected. Codes count from 0, with few gaps or none; groups are
    numbered by first appearance.
    """
    if len(codes) == 1:
        return _by_first_appearance(codes[0])
    # A graph of examples and keys: an edge for each key that an example has.
    count = len(codes[0])
    offsets = np.cumsum([count, *(column.max(initial=-1) + 1 for column in codes)])
    ends = np.concatenate([column + first for column, first in zip(codes, offsets)])
    starts = np.tile(np.arange(count), len(codes))
    edges = sparse.coo_matrix(
        (np.ones(len(starts), np.int8), (starts, ends)), shape=(offsets[-1],) * 2
    )
    components = csgraph.connected_components(edges, directed=False)[1]
    return _by_first_appearance(components[:count])


def _by_first_appearance(codes: np.ndarray) -> np.ndarray:
    first = np.full(codes.max(initial=-1) + 1, len(codes))
    # Of equal codes, the first is written last.
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[codes]


def count_groups(labels: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """The number of groups that each class occurs in, `[classes]`."""
    several = groups.max(initial=-1) + 1
    pairs = np.unique(labels * several + groups)
    return np.bincount(pairs // max(several, 1), minlength=classes)


def deal(
    labels: np.ndarray, groups: np.ndarray, *, held_out: Sequence[float], seed: int
) -> np.ndarray:
    """The split of every example, `[n]`: 0 is train, then one per held-out fraction.

    Classes keep their proportions: exactly where groups are single examples, else as
    near as whole groups allow. Every class reaches every split if its groups allow
    it; the caller checks.
    """
    rng = np.random.default_rng(seed)
    totals = np.bincount(labels)
    deficit = np.array([targets(n, held_out) for n in totals], np.int64).T
    split_of = np.zeros(len(labels), np.int64)
    size = np.bincount(groups)
    _deal_large(labels, groups, split_of, deficit, rng)
    singles = np.flatnonzero(size[groups] == 1)
    for label, single in enumerate(members_of(labels[singles], len(totals))):
        single = singles[single]
        counts = _fill(deficit[:, label].tolist(), len(single))
        split_of[rng.permutation(single)] = np.repeat(np.arange(len(counts)), counts)
    _spread(labels, groups, split_of, splits=len(deficit))
    return split_of


def members_of(codes: np.ndarray, count: int) -> list[np.ndarray]:
    """The positions of each of the codes 0 to `count - 1`, in ascending order."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.searchsorted(codes[order], np.arange(1, count)))


def targets(count: int, held_out: Sequence[float]) -> list[int]:
    """The number of examples, of `count`, for each split, train first.

    Held-out splits get their rounded fraction and at least one; train gets the rest
    and at least one, as long as there are enough.
    """
    counts = [max(1, int(count * fraction + 0.5)) for fraction in held_out]
    while counts and sum(counts) >= count and max(counts) > 1:
        counts[counts.index(max(counts))] -= 1
    return [count - sum(counts), *counts]


def _deal_large(
    labels: np.ndarray,
    groups: np.ndarray,
    split_of: np.ndarray,
    deficit: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Deals groups of two and more, large first, to the split that lacks them most."""
    totals = deficit.sum(axis=0)
    size = np.bincount(groups)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(size)
    shuffled = rng.permutation(len(size))
    large = shuffled[size[shuffled] > 1]
    for group in large[np.argsort(-size[large], kind="stable")]:
        members = order[ends[group] - size[group] : ends[group]]
        classes, amounts = np.unique(labels[members], return_counts=True)
        # Relative to the class, so that a rare class counts as much as a common one.
        score = (deficit[:, classes] * (amounts / totals[classes])).sum(axis=1)
        choice = int(np.argmax(score))
        deficit[choice, classes] -= amounts
        split_of[members] = choice


def _fill(deficit: list[int], count: int) -> list[int]:
    """The number of equal examples for each split, largest deficit first."""
    counts = [0] * len(deficit)
    for _ in range(count):
        choice = max(range(len(deficit)), key=deficit.__getitem__)
        deficit[choice] -= 1
        counts[choice] += 1
    return counts


def _spread(
    labels: np.ndarray, groups: np.ndarray, split_of: np.ndarray, *, splits: int
) -> None:
    """Moves groups until every split has every class, or no move helps.

    Large groups can leave a split without a class. A move takes the smallest group
    that its own split can spare, so that it never opens another gap.
    """
    moved = True
    while moved:
        counts = np.zeros((splits, labels.max() + 1), np.int64)
        np.add.at(counts, (split_of, labels), 1)
        gaps = np.argwhere(counts == 0)
        moved = any(
            _close_gap(labels, groups, split_of, counts, split=split, label=label)
            for split, label in gaps
        )


def _close_gap(
    labels: np.ndarray,
    groups: np.ndarray,
    split_of: np.ndarray,
    counts: np.ndarray,
    *,
    split: int,
    label: int,
) -> bool:
    candidates, sizes = np.unique(groups[labels == label], return_counts=True)
    for group in candidates[np.argsort(sizes, kind="stable")]:
        members = np.flatnonzero(groups == group)
        classes, amounts = np.unique(labels[members], return_counts=True)
        giver = split_of[members[0]]
        if (counts[giver, classes] > amounts).all():
            split_of[members] = split
            return True
    return False
