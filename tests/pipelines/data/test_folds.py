"""Folds keep groups whole and the shares of labels, for every kind of labels."""

import numpy as np
import pytest

from pipelines.data.folds import folds_of


def test_folds_have_equal_shares_of_classes():
    labels = np.repeat([0, 1], [50, 20])
    folds = folds_of(labels, None, problem="single_label", count=5, seed=0)
    assert sorted(np.unique(folds)) == [0, 1, 2, 3, 4]
    for fold in range(5):
        assert np.bincount(labels[folds == fold]).tolist() == [10, 4]


def test_folds_keep_groups_whole():
    labels = np.tile([0, 1, 2], 20)
    groups = np.arange(60) // 3
    folds = folds_of(labels, groups, problem="single_label", count=4, seed=0)
    for group in range(20):
        assert len(np.unique(folds[groups == group])) == 1
    assert np.bincount(folds).tolist() == [15, 15, 15, 15]


def test_folds_depend_on_the_seed_alone():
    labels = np.arange(40) % 2
    dealt = [
        folds_of(labels, None, problem="single_label", count=5, seed=seed)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(dealt[0], dealt[1])
    assert (dealt[0] != dealt[2]).any()


LABELS = {
    "multi_label": (np.arange(120).reshape(40, 3) % 2).astype(np.float32),
    "regression": np.linspace(0, 1, 40, dtype=np.float32)[:, None],
    "ordinal": np.arange(40) % 4,
}


@pytest.mark.parametrize("problem", LABELS)
def test_folds_of_other_labels_have_equal_sizes(problem):
    folds = folds_of(LABELS[problem], None, problem=problem, count=5, seed=0)
    assert np.bincount(folds).tolist() == [8, 8, 8, 8, 8]
