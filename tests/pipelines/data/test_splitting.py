"""The split rule: stratified, disjoint by content and group, given splits respected."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.reference import DatasetRef
from pipelines.data.splits import (
    Examples,
    ImageArray,
    ImageFiles,
    Splits,
)
from pipelines.data.splitting import keep_some, split_examples
from pipelines.errors import DataError

REF = DatasetRef("npz", "x.npz")


def examples_of(
    labels: list[int],
    *,
    groups: list[str] | None = None,
    given: list[str] | None = None,
) -> Examples:
    """Examples whose first pixel says which one it is."""
    n = len(labels)
    pixels = np.zeros((n, 2, 2, 3), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(n) % 256
    pixels[:, 0, 0, 1] = np.arange(n) // 256
    return Examples(
        inputs=ImageArray(pixels),
        names=tuple(f"image {i}" for i in range(n)),
        labels=np.array(labels, np.int64),
        class_names=tuple("abcdefgh"[: max(labels) + 1]),
        groups=None if groups is None else tuple(groups),
        splits=None if given is None else tuple(given),
    )


def hashes_of(examples: Examples) -> list[str]:
    return [f"{i:064x}" for i in range(len(examples))]


def indices(splits: Splits) -> dict[str, list[int]]:
    return {
        part.name: (
            part.inputs.pixels[:, 0, 0, 0]
            + 256 * part.inputs.pixels[:, 0, 0, 1].astype(int)
        ).tolist()
        for part in (splits.train, splits.validation, splits.test)
    }


def test_every_example_lands_once_in_its_class() -> None:
    examples = examples_of([0] * 100 + [1] * 40)
    splits = split_examples(examples, hashes_of(examples), REF)
    found = indices(splits)
    assert sorted(sum(found.values(), [])) == list(range(140))
    assert all(places == sorted(places) for places in found.values())
    assert splits.info.counts == {
        "train": {"a": 70, "b": 28},
        "validation": {"a": 15, "b": 6},
        "test": {"a": 15, "b": 6},
    }
    for part in (splits.train, splits.validation, splits.test):
        assert part.labels.dtype == np.int64
        assert len(part) == len(part.inputs) == len(part.labels)
    assert (splits.test.labels == examples.labels[found["test"]]).all()
    assert splits.info.reference == "npz:x.npz"


def test_equal_content_stays_in_one_split() -> None:
    examples = examples_of([0] * 40 + [1] * 40)
    hashes = hashes_of(examples)
    for i in range(0, 40, 4):  # ten pairs within a class, and ten across classes
        hashes[i + 1] = hashes[i]
        hashes[i + 42] = hashes[i + 2]
    for seed in range(10):
        ref = DatasetRef("npz", "x.npz", seed=seed)
        found = indices(split_examples(examples, hashes, ref))
        contents = [{hashes[i] for i in places} for places in found.values()]
        assert len(contents) == 3
        assert not contents[0] & contents[1]
        assert not contents[0] & contents[2]
        assert not contents[1] & contents[2]


def test_a_group_stays_in_one_split() -> None:
    groups = [f"patient {i // 5}" for i in range(100)]
    examples = examples_of([0, 1] * 50, groups=groups)
    found = indices(split_examples(examples, hashes_of(examples), REF))
    owners = [{groups[i] for i in places} for places in found.values()]
    assert sum(len(owner) for owner in owners) == len(set(groups)) == 20


def test_too_few_images_name_the_class() -> None:
    examples = examples_of([0] * 10 + [1] * 2)
    with pytest.raises(
        DataError, match="class 'b' has 2 independent images"
    ) as refusal:
        split_examples(examples, hashes_of(examples), REF)
    assert "at least 3, one for each of train, validation, test" in str(refusal.value)
    enough = examples_of([0] * 10 + [1] * 3)
    counts = split_examples(enough, hashes_of(enough), REF).info.counts
    assert [counts[name]["b"] for name in counts] == [1, 1, 1]


def test_copies_do_not_count_as_images() -> None:
    examples = examples_of([0] * 10 + [1] * 5)
    hashes = [*hashes_of(examples)[:10], *["same"] * 5]
    with pytest.raises(DataError, match="class 'b' has 1 independent image[.]"):
        split_examples(examples, hashes, REF)


def test_classes_tied_by_groups_are_refused() -> None:
    groups = ["g0"] * 4 + ["g1"] * 4 + ["g2"] * 4
    examples = examples_of([0, 0, 1, 1] * 3, groups=groups)
    counts = split_examples(examples, hashes_of(examples), REF).info.counts
    assert all(n == 2 for part in counts.values() for n in part.values())

    labels = [0, 1, 0, 2, 1, 2, 0, 1, 2]
    tied = ["p", "p", "q", "q", "r", "r", "s", "s", "s"]  # every class in three of four
    examples = examples_of(labels, groups=tied)
    with pytest.raises(
        DataError, match="does not reach .*tie its images to those of other"
    ):
        split_examples(examples, hashes_of(examples), REF)


def test_given_splits_are_used_as_they_are() -> None:
    given = ["test"] * 5 + ["train"] * 3 + ["validation"] * 2 + ["train"] * 10
    examples = examples_of([0, 1] * 10, given=given)
    found = indices(split_examples(examples, hashes_of(examples), REF))
    for name, places in found.items():
        assert places == [i for i, split in enumerate(given) if split == name]


@pytest.mark.parametrize(
    ("present", "missing", "count"),
    [("test", "validation", 16), ("validation", "test", 16)],
)
def test_a_missing_split_is_carved_from_train(
    present: str, missing: str, count: int
) -> None:
    given = ["train"] * 80 + [present] * 20
    examples = examples_of([0, 1] * 50, given=given)
    ref = DatasetRef("npz", "x.npz", validation=0.2, test=0.2)
    found = indices(split_examples(examples, hashes_of(examples), ref))
    assert found[present] == list(range(80, 100))
    assert len(found[missing]) == count
    assert len(found["train"]) == 64


def test_train_alone_is_carved_twice() -> None:
    examples = examples_of([0, 1] * 20, given=["train"] * 40)
    found = indices(split_examples(examples, hashes_of(examples), REF))
    assert {name: len(places) for name, places in found.items()} == {
        "train": 28,
        "validation": 6,
        "test": 6,
    }


def test_a_class_that_train_lacks_is_refused() -> None:
    given = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    lacking = examples_of([0] * 6 + [0, 1, 1] * 2, given=given)
    with pytest.raises(DataError, match="in train: class 'b' has 0 independent images"):
        split_examples(lacking, hashes_of(lacking), REF)
    # The other way round is the user's choice: a test split may lack a rare class.
    whole = examples_of([0, 1] * 3 + [0] * 6, given=given)
    counts = split_examples(whole, hashes_of(whole), REF).info.counts
    assert counts["test"] == {"a": 3, "b": 0}


def test_content_in_two_splits_is_refused() -> None:
    given = ["train"] * 10 + ["validation"] * 4 + ["test"] * 6
    examples = examples_of([0, 1] * 10, given=given)
    hashes = hashes_of(examples)
    for i in range(5):
        hashes[14 + i] = hashes[i]
    expected = (
        r"two given splits, 5 times: train 'image 0' = test 'image 14', "
        r"train 'image 1' = test 'image 15', train 'image 2' = test 'image 16' "
        r"and 2 more"
    )
    with pytest.raises(DataError, match=expected):
        split_examples(examples, hashes, REF)
    within = hashes_of(examples)
    within[1] = within[0]  # twice in train harms nobody
    assert len(split_examples(examples, within, REF).test) == 6


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("limit", [20, 50, 99, 199])
def test_a_limit_keeps_the_proportions(seed: int, limit: int) -> None:
    examples = examples_of([0] * 100 + [1] * 60 + [2] * 40)
    kept = keep_some(examples, limit=limit, seed=seed)
    assert len(kept) == limit
    shares = np.bincount(kept.labels, minlength=3)
    assert shares == pytest.approx(limit * np.array([0.5, 0.3, 0.2]), abs=1)


def test_a_limit_keeps_order_and_columns_together() -> None:
    given = ["train", "test"] * 50
    examples = examples_of(
        [0] * 50 + [1] * 50, given=given, groups=list(map(str, range(100)))
    )
    kept = keep_some(examples, limit=40, seed=3)
    rows = kept.inputs.pixels[:, 0, 0, 0].tolist()
    assert rows == sorted(rows)
    assert kept.names == tuple(f"image {i}" for i in rows)
    assert kept.groups == tuple(map(str, rows))
    assert kept.splits == tuple(given[i] for i in rows)
    assert kept.splits.count("test") == 20
    other = keep_some(examples, limit=40, seed=4)
    assert other.names != kept.names
    assert keep_some(examples, limit=40, seed=3).names == kept.names
    assert keep_some(examples, limit=100, seed=3) is examples
    assert keep_some(examples, limit=None, seed=3) is examples


def test_the_fingerprint_follows_the_content() -> None:
    examples = examples_of([0, 1] * 10)
    hashes = hashes_of(examples)
    order = np.arange(20)[::-1]
    turned = examples.take(order)
    turned_hashes = [hashes[i] for i in order]

    def fingerprint(some: Examples, content: list[str], seed: int = 0) -> str:
        ref = DatasetRef("npz", "x.npz", seed=seed)
        return split_examples(some, content, ref).info.fingerprint

    assert fingerprint(examples, hashes) == fingerprint(turned, turned_hashes, seed=5)
    assert fingerprint(examples, hashes) != fingerprint(examples, turned_hashes)
    assert fingerprint(examples, hashes) != fingerprint(
        examples, [*hashes[:-1], "other"]
    )


def test_take_picks_files_and_pixels() -> None:
    files = ImageFiles(("a", "b", "c"))
    assert files.take([2, 0]) == ImageFiles(("c", "a"))
    array = ImageArray(np.arange(36, dtype=np.uint8).reshape(3, 2, 2, 3))
    assert (array.take([2, 0]).pixels == array.pixels[[2, 0]]).all()
    assert len(array.take([])) == len(files.take([])) == 0
