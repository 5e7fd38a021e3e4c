"""Splits in which every label keeps its share, with whole groups.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011,
https://doi.org/10.1007/978-3-642-23808-6_10): the rarest label is dealt first, to the
split that lacks it most. Our own, because the packages that have it, such as
iterative-stratification, deal single examples and part groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.data.grouping import targets


def deal_labels(
    labels: np.ndarray, groups: np.ndarray, *, held_out: Sequence[float], seed: int
) -> np.ndarray:
    """The split of every example, `[n]`: 0 is train, then one for each fraction.

    `labels` are 0 or 1, `[n, labels]`, and `groups` int64 `[n]`, counted from 0.
    """
    rng = np.random.default_rng(seed)
    count = int(groups.max(initial=-1)) + 1
    size = np.bincount(groups, minlength=count)
    amounts = np.zeros((count, labels.shape[1]), np.int64)
    np.add.at(amounts, groups, labels.astype(np.int64))
    lacks = np.array(
        [targets(int(total), held_out) for total in amounts.sum(axis=0)], np.float64
    )
    room = np.array(targets(len(labels), held_out), np.float64)
    # Large groups first, and by chance among those of one size.
    order = rng.permutation(count)
    order = order[np.argsort(-size[order], kind="stable")]
    split_of = np.full(count, -1)
    remaining = (amounts > 0).sum(axis=0)
    while (remaining > 0).any():
        label = int(np.where(remaining > 0, remaining, np.inf).argmin())
        for group in order[(amounts[order, label] > 0) & (split_of[order] < 0)]:
            _place(int(group), label, split_of, amounts, size, lacks, room)
            remaining -= amounts[group] > 0
    for group in order[split_of[order] < 0]:  # without any label
        split_of[group] = int(room.argmax())
        room[split_of[group]] -= size[group]
    return split_of[groups]


def _place(
    group: int,
    label: int,
    split_of: np.ndarray,
    amounts: np.ndarray,
    size: np.ndarray,
    lacks: np.ndarray,
    room: np.ndarray,
) -> None:
    """Puts a group where its label is lacked most; of equals, where the room is."""
    most = np.flatnonzero(lacks[label] == lacks[label].max())
    split = int(most[room[most].argmax()])
    split_of[group] = split
    lacks[:, split] -= amounts[group]
    room[split] -= size[group]
