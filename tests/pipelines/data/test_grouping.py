"""Groups are connected components, and dealing them keeps the promised proportions."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.grouping import connected_groups, count_groups, deal, targets
from pipelines.data.packed_strings import Strings

SEEDS = range(12)


def _groups(*keys: list[str]) -> np.ndarray:
    return connected_groups(*(Strings.of(column).codes() for column in keys))


def test_units_join_over_either_key() -> None:
    groups = _groups(["a", "b", "a", "c", "d"], ["p", "q", "r", "q", "s"])
    assert groups.tolist() == [0, 1, 0, 1, 2]


def test_units_join_through_a_chain() -> None:
    groups = _groups(["a", "a", "b", "b"], ["1", "2", "2", "3"])
    assert groups.tolist() == [0, 0, 0, 0]


def test_equal_text_in_different_keys_does_not_join() -> None:
    assert _groups(["a", "b"], ["b", "c"]).tolist() == [0, 1]


def test_count_groups_counts_a_group_once_per_class() -> None:
    labels, groups = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2])
    assert count_groups(labels, groups, 3).tolist() == [2, 2, 0]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(3, [1, 1, 1]), (10, [6, 2, 2]), (100, [70, 15, 15]), (500, [350, 75, 75])],
)
def test_targets(count: int, expected: list[int]) -> None:
    assert targets(count, [0.15, 0.15]) == expected


def test_targets_leave_train_an_example() -> None:
    for count in range(3, 60):
        for fraction in (0.01, 0.3, 0.49):
            got = targets(count, [0.5, fraction])
            assert sum(got) == count
            assert min(got) >= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_single_units_meet_their_targets_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 400, size=rng.integers(2, 12))
    held_out = rng.uniform(0.01, 0.45, size=2).tolist()
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    split_of = deal(labels, np.arange(len(labels)), held_out=held_out, seed=seed)
    for label, size in enumerate(sizes):
        got = np.bincount(split_of[labels == label], minlength=3)
        assert got.tolist() == targets(int(size), held_out)


@pytest.mark.parametrize("seed", SEEDS)
def test_units_of_any_size_stay_whole_and_spread(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, size=rng.integers(12, 60))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = (np.arange(len(sizes)) % 4)[groups]  # at least three groups per class
    split_of = deal(labels, groups, held_out=[0.15, 0.15], seed=seed)
    for group in range(len(sizes)):
        assert len(set(split_of[groups == group])) == 1
    for label in range(4):
        assert set(split_of[labels == label]) == {0, 1, 2}


@pytest.mark.parametrize("seed", SEEDS)
def test_many_mixed_groups_come_close_to_the_proportions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 150, size=3000))
    groups = np.unique(groups, return_inverse=True)[1]
    labels = rng.integers(0, 5, size=3000)  # a group holds several classes
    split_of = deal(labels, groups, held_out=[0.15, 0.15], seed=seed)
    assert np.bincount(split_of) / 3000 == pytest.approx([0.7, 0.15, 0.15], abs=0.02)
    for label in range(5):
        share = np.bincount(split_of[labels == label], minlength=3)
        assert share / share.sum() == pytest.approx([0.7, 0.15, 0.15], abs=0.06)


def test_three_large_groups_reach_three_splits() -> None:
    labels = np.array([0] * 30 + [1] * 30)
    groups = np.repeat(np.arange(6), 10)
    split_of = deal(labels, groups, held_out=[0.15, 0.15], seed=0)
    for label in (0, 1):
        assert set(split_of[labels == label]) == {0, 1, 2}


def test_the_seed_decides() -> None:
    labels, groups = np.repeat([0, 1], 50), np.arange(100)
    first, again, other = (
        deal(labels, groups, held_out=[0.2], seed=seed) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert np.bincount(first).tolist() == [80, 20]
