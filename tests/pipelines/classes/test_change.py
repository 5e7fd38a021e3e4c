import dataclasses

import numpy as np
import pytest

from pipelines.classes.change import added, merged, removed
from pipelines.errors import ConfigError, DataError
from tests.pipelines.classes.features import kept_split


def _new(start=300):
    """Two images for training, in two views, one for validation and none for test."""
    return {
        "train": kept_split([0, 0], views=2, seed=3, start=start),
        "validation": kept_split([0], seed=4, start=start + 10),
        "test": kept_split([], seed=5, start=start + 20),
    }


def test_added_class_is_last_view_after_view(kept):
    new = _new()
    changed = added(kept, "d", new)
    assert changed.class_names == ("a", "b", "c", "d")
    assert changed.train.labels.tolist() == [*kept.train.labels, 3, 3]
    assert changed.train.views == 2
    old_views = np.split(kept.train.features, 2)
    new_views = np.split(new["train"].features, 2)
    for view, both in enumerate(np.split(changed.train.features, 2)):
        expected = np.concatenate([old_views[view], new_views[view]])
        assert np.array_equal(both, expected)
    assert changed.validation.labels.tolist() == [0, 1, 2, 3]
    assert np.array_equal(changed.test.features, kept.test.features)
    assert len(np.unique(changed.train.groups)) == 11


def test_added_then_removed_gives_the_same(kept):
    back = removed(added(kept, "d", _new()), "d")
    assert back.class_names == kept.class_names
    for name, split in kept.splits.items():
        for field in dataclasses.fields(split):
            ours = getattr(back.splits[name], field.name)
            assert np.array_equal(ours, getattr(split, field.name)), field.name


def test_added_refuses_known_name(kept):
    with pytest.raises(ConfigError, match="has a class 'b' already"):
        added(kept, "b", _new())


def test_added_refuses_content_of_another_class(kept):
    with pytest.raises(DataError, match=r"1 examples .* of 'c' in test.*remove them"):
        # The content 200 is the first one of test.
        added(kept, "d", {**_new(), "test": kept_split([0], start=200)})


def test_removed_class_moves_later_labels(kept):
    changed = removed(kept, "a")
    assert changed.class_names == ("b", "c")
    assert changed.train.labels.tolist() == [0, 1] * 3
    rows = np.flatnonzero(kept.train.labels != 0)
    first = kept.train.first_view()[rows]
    assert np.array_equal(changed.train.first_view(), first)
    assert changed.test.names.tolist() == ["200.png", "201.png"]


def test_removed_keeps_two_classes(kept):
    with pytest.raises(ConfigError, match="only one class would be left"):
        removed(removed(kept, "a"), "b")


def test_removed_refuses_unknown_name(kept):
    with pytest.raises(ConfigError, match="no class 'aa'.*Allowed|no class 'aa'"):
        removed(kept, "aa")


def test_merged_classes_take_the_first_place(kept):
    changed = merged(kept, ["c", "a"], into="ac")
    assert changed.class_names == ("ac", "b")
    assert changed.train.labels.tolist() == [0, 1, 0] * 3
    assert np.array_equal(changed.train.features, kept.train.features)


@pytest.mark.parametrize(
    ("names", "into", "message"),
    [
        (["a"], "a", "two or more different classes"),
        (["a", "a"], "a", "two or more different classes"),
        (["a", "x"], "a", "no class 'x'"),
        (["a", "b"], "c", "'c' is another class"),
        (["a", "b", "c"], "a", "only one class would be left"),
    ],
)
def test_merged_refuses_what_makes_no_sense(kept, names, into, message):
    with pytest.raises(ConfigError, match=f"(?i){message}"):
        merged(kept, names, into=into)


def test_examples_without_weights_join_as_one(kept):
    assert added(kept, "d", _new()).train.sample_weights is None
    weights = np.linspace(0, 2, len(kept.train.labels)).astype(np.float32)
    splits = {
        name: dataclasses.replace(split, weights=weights[: len(split.labels)])
        for name, split in kept.splits.items()
    }
    weighted = kept.with_classes(kept.class_names, splits)
    changed = added(weighted, "d", _new())
    assert changed.train.sample_weights.tolist() == [*weights.tolist(), 1, 1]
    back = removed(changed, "d")
    np.testing.assert_array_equal(back.train.sample_weights, weights)
