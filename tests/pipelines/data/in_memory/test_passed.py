"""What was passed: its digest, and splits that are joined."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.in_memory.passed import Passed, joined
from pipelines.data.splits import ImageFiles
from pipelines.errors import DataError

X = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
Y = np.array(["a", "b"])


def test_digest_follows_from_all_of_the_content():
    def digest(x=X, y=Y, **others):
        return Passed(x, y, "here", others).digest()

    assert digest() == digest(X.copy(), Y.copy())
    other = X.copy()
    other[0, 0, 0, 0] += 1
    assert digest(other) != digest()
    assert digest(X.reshape(2, 4, 12, 1)) != digest()
    assert digest(y=Y[::-1]) != digest()
    assert digest(group=Y) != digest()
    assert digest(x=X[:0], y=Y[:0]) != digest()


def test_splits_are_joined_in_order():
    whole = joined({"train": Passed(X, Y, "a"), "test": Passed(X, Y, "b")}, where="c")
    assert whole.x.shape == (4, 4, 4, 3)
    assert whole.others["split"].tolist() == ["train", "train", "test", "test"]


def test_files_are_joined_with_their_names():
    parts = {
        name: Passed(ImageFiles([f"/{name}.png"]), Y[:1], "a", names=[name])
        for name in ("train", "test")
    }
    whole = joined(parts, where="c")
    assert list(whole.x.paths) == ["/train.png", "/test.png"]
    assert whole.names == ["train", "test"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Passed(X[:, :2], Y, "b"), "x differs between the splits"),
        (Passed(X, np.array([1, 2]), "b"), "y differs between the splits"),
        (Passed(ImageFiles(["/a"]), Y, "b"), "different kinds of examples"),
        (Passed(X, Y, "b", {"group": Y}), r"\['group'\], and others do not"),
    ],
)
def test_splits_that_differ_are_refused(other, message):
    with pytest.raises(DataError, match=message):
        joined({"train": Passed(X, Y, "a"), "test": other}, where="c")
