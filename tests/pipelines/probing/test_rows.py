"""Rows by which classes are compared: of each class, in order, in whole groups."""

import numpy as np

from pipelines.probing.rows import judged_rows, of_every_class, spread


def test_some_rows_of_every_class_are_taken():
    labels = np.array([0] * 90 + [1] * 9 + [2])
    rows = spread(labels, count=20, seed=0)
    counts = np.bincount(labels[rows])
    assert counts.sum() == 20
    assert counts.tolist() == [17, 2, 1]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(spread(labels, count=100, seed=0), np.arange(100))


def test_many_classes_are_compared_on_some():
    labels = np.arange(20_000) % 1000
    rows = spread(labels, count=1000, seed=0)
    sizes = np.bincount(labels[rows])
    assert set(sizes[sizes > 0]) == {8}
    assert len(rows) == 1000
    assert (np.diff(rows) > 0).all()
    # Of classes of three, as many classes as there is room for.
    few = spread(np.arange(9000) % 3000, count=1000, seed=0)
    assert set(np.bincount(few % 3000)) == {0, 3}
    # A class of one has no other to be recognized by.
    mixed = np.concatenate([np.arange(2000), np.repeat(np.arange(2000, 2300), 4)])
    assert labels_of_one(mixed, spread(mixed, count=1000, seed=0)) == 0
    alone = spread(np.arange(5000), count=1000, seed=0)
    assert len(np.unique(alone)) == 1000
    # Up to a hundred classes it is as it was: in proportion, each at least once.
    hundred = np.arange(5000) % 100
    np.testing.assert_array_equal(
        spread(hundred, count=300, seed=0), of_every_class(hundred, count=300, seed=0)
    )


def labels_of_one(labels, rows):
    """How many of the rows are alone in their class."""
    sizes = np.bincount(labels[rows])
    return int((sizes == 1).sum())


def test_judged_rows_are_drawn_from_all_classes():
    labels = np.arange(3000) % 300
    rows = judged_rows(labels, None, at_most=700, seed=0)
    assert len(rows) == 700
    assert (np.diff(rows) > 0).all()
    assert len(np.unique(labels[rows])) > 200
    other = judged_rows(labels, None, at_most=700, seed=1)
    assert not np.array_equal(rows, other)


def test_judged_rows_keep_groups_whole():
    labels, groups = np.arange(3000) % 300, np.arange(3000) // 3
    rows = judged_rows(labels, groups, at_most=700, seed=0)
    assert 690 < len(rows) <= 700
    assert set(np.bincount(groups[rows])) == {0, 3}
