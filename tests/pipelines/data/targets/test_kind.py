"""Every kind of labels answers the same questions."""

import numpy as np
import pytest

from pipelines.data.targets.choice import kind_of

LABELS = {
    "single_label": np.arange(90) % 3,
    "ordinal": np.arange(90) % 3,
    "multi_label": (np.random.default_rng(0).random((90, 3)) < 0.4).astype(np.float32),
    "regression": np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32),
}
NAMES = ("1", "2", "3")


@pytest.mark.parametrize("name", LABELS)
def test_kinds_deal_count_and_describe_every_example(name):
    kind, labels = kind_of(name), LABELS[name]
    groups = np.arange(90)
    strata = kind.strata(labels)
    assert strata.shape == (90,)
    split_of = kind.deal(labels, groups, held_out=(0.2, 0.2), seed=0)
    assert np.abs(np.bincount(split_of) - [54, 18, 18]).max() <= 6
    assert not kind.absent(labels, NAMES)
    assert set(kind.counts(labels, NAMES)) == set(NAMES)
    assert min(n for _, n in kind.count_independent(labels, groups, NAMES)) >= 3
    codes, words = kind.in_words(labels, NAMES)
    assert len(words) == 90
    by_code = [words[i] for i in np.argsort(codes, kind="stable")]
    assert by_code == sorted(words)
