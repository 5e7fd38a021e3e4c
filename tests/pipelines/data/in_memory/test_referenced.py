"""From what a caller passes to a reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.data.in_memory.referenced import referenced
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
Y = np.arange(40) % 2


def test_references_stay_as_they_are():
    with referenced("dir:photos", {"strategy": "full"}) as (reference, fields):
        assert reference == "dir:photos"
        assert fields == {"strategy": "full"}


def test_data_are_a_reference_while_held():
    options = {"validation": 0.25, "strategy": "full"}
    with referenced((X, Y), options) as (reference, fields):
        assert fields == {"strategy": "full"}
        ref = DatasetRef.parse(reference)
        assert (ref.scheme, ref.validation) == ("memory", 0.25)
        splits = load(ref)
        assert len(splits.validation) == 10
        assert splits.train.inputs.held is X
    with pytest.raises(DataError, match="Make the same call with the same data"):
        load(ref)


def test_equal_data_have_equal_references():
    with referenced((X, Y), {}) as (first, _), referenced((X, Y), {}) as (again, _):
        assert first == again
    with referenced((X, Y[::-1]), {}) as (other, _):
        assert other != first


def test_dict_of_splits_is_taken_as_it_is():
    parts = {"train": (X[:20], Y[:20]), "val": (X[20:30], Y[20:30])}
    parts["test"] = (X[30:], Y[30:])
    with referenced(parts, {}) as (reference, _):
        splits = load(DatasetRef.parse(reference))
    assert np.array_equal(splits.validation.inputs.pixels, X[20:30])
    assert np.array_equal(splits.test.inputs.pixels, X[30:])


@pytest.mark.parametrize(
    ("data", "fields", "message"),
    [
        ("dir:photos", {"test": 0.2}, r"as in 'dir:photos\?test=0.2'"),
        ("dir:photos?seed=1", {"label": "a"}, r"as in 'dir:photos\?seed=1&label=a'"),
        (Path("photos"), {}, "write 'dir:photos'"),
        (X, {}, r"have no labels. Pass \(x, y\)"),
        (iter([(X[0], 0)]), {}, r"have no length. Pass list\(data\)"),
        ({"test": (X, Y)}, {}, "needs splits, 'train' among them"),
        ({"shoes": (X, Y)}, {}, "shoes"),
        ({"train": (X, Y), "training": (X, Y)}, {}, "one meaning"),
        ({"train": (X, Y)}, {"split": "s"}, "keep one"),
        (
            [("a", 0)],
            {"label": "b"},
            "names a column of a table, and the data are a list",
        ),
        (3, {}, "of the type int are not known"),
        ((X, Y), {"validation": 0.9}, "validation=0.9 is out of range"),
    ],
)
def test_other_data_are_refused(data, fields, message):
    with pytest.raises(DataError, match=message), referenced(data, fields):
        pass
