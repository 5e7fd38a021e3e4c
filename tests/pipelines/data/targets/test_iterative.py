"""Every label keeps its share in every split, and groups stay whole."""

import numpy as np

from pipelines.data.targets.iterative import deal_labels


def test_labels_keep_their_shares_and_groups_stay_whole():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), 2)
    labels = (rng.random((300, 6)) < [0.5, 0.3, 0.1, 0.1, 0.05, 0.02]).astype(float)
    split_of = deal_labels(labels, groups, held_out=(0.2, 0.2), seed=1)
    assert [len(set(split_of[groups == group])) for group in range(150)] == [1] * 150
    sizes = np.bincount(split_of, minlength=3)
    assert (np.abs(sizes - [180, 60, 60]) <= 12).all()
    for label in range(6):
        shares = np.bincount(split_of, labels[:, label], 3) / labels[:, label].sum()
        off = np.abs(shares - [0.6, 0.2, 0.2]) * labels[:, label].sum()
        assert (off <= 2.5).all(), (label, shares)
    again = deal_labels(labels, groups, held_out=(0.2, 0.2), seed=1)
    assert (again == split_of).all()
    other = deal_labels(labels, groups, held_out=(0.2, 0.2), seed=2)
    assert (other != split_of).any()


def test_a_stratified_split_is_closer_than_chance():
    rng = np.random.default_rng(3)
    labels = (rng.random((200, 5)) < 0.08).astype(float)
    groups = np.arange(200)

    def unevenness(split_of):
        counts = [labels[split_of == split].mean(axis=0) for split in range(3)]
        return np.abs(np.array(counts) - labels.mean(axis=0)).max()

    dealt = unevenness(deal_labels(labels, groups, held_out=(0.2, 0.2), seed=0))
    by_chance = [unevenness(rng.choice(3, 200, p=[0.6, 0.2, 0.2])) for _ in range(20)]
    assert dealt < np.median(by_chance) / 2
