"""Folds keep groups whole and the shares of labels, for every kind of labels."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.folds import folds_of, pooled, require_one_in_each, without_fold
from pipelines.errors import DataError


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


def test_without_fold_parts_pooled_splits(splits):
    both = pooled(splits)
    own = np.arange(len(both.train)) % 3 == 0
    parts = without_fold(both, own)
    np.testing.assert_array_equal(parts.validation.labels, both.train.labels[own])
    np.testing.assert_array_equal(parts.train.labels, both.train.labels[~own])
    assert (parts.train.name, parts.validation.name) == ("train", "validation")
    assert parts.test is splits.test


def test_pooled_splits_are_train_and_validation_twice(splits):
    both = pooled(splits)
    count = len(splits.train) + len(splits.validation)
    assert len(both.train) == len(both.validation) == count
    assert (both.train.name, both.validation.name) == ("train", "validation")
    assert both.test is splits.test
    labels = np.concatenate([splits.train.labels, splits.validation.labels])
    np.testing.assert_array_equal(both.train.labels, labels)


def test_too_few_of_a_class_are_named(splits):
    both = pooled(splits)
    require_one_in_each(both, count=5)
    few = np.flatnonzero(both.train.labels == 3)[:3]
    rest = np.flatnonzero(both.train.labels != 3)
    train = both.train.take(np.sort(np.concatenate([few, rest])))
    short = dataclasses.replace(both, train=train)
    with pytest.raises(
        DataError, match=r"is 5, and every class .* '3' has 3\. .*most 3"
    ):
        require_one_in_each(short, count=5)
    grouped = dataclasses.replace(
        train, groups=np.where(train.labels == 3, 0, 1 + np.arange(len(train)))
    )
    with pytest.raises(DataError, match=r"'3' has 1\. .*Add examples"):
        require_one_in_each(dataclasses.replace(both, train=grouped), count=2)
