"""Folders are classes or splits as people name them; doubtful ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.data.readers.folder import read
from pipelines.errors import DataError
from tests.support.folders import fill


@pytest.mark.parametrize("validation", ["validation", "val", "Val"])
def test_given_splits(tmp_path: Path, validation: str) -> None:
    names = [
        f"{split}/{c}/{split}.jpg" for split in ("train", validation) for c in "ab"
    ]
    examples = read(str(fill(tmp_path, *names)))
    assert examples.class_names == ("a", "b")
    assert examples.splits is not None
    assert dict(zip(examples.names, examples.splits)) == {
        name: "train" if name.startswith("train") else "validation" for name in names
    }


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    examples = read(str(fill(tmp_path, "train/a.jpg", "test/a.jpg", "bus/a.jpg")))
    assert examples.class_names == ("bus", "test", "train")
    assert examples.splits is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["validation/a/1.jpg", "val/a/1.jpg", "train/a/2.jpg"], "same split twice"),
        (["validation/a/1.jpg", "test/a/1.jpg"], "no train folder"),
        (
            ["train/a/1.jpg", "tset/a/1.jpg"],
            "tset/ is not one.*Did you mean 'test'.*layout=classes",
        ),
        (["train/a/1.jpg", "test/1.jpg"], "test has no class folders .and 1 images"),
        (["a.jpg", "b.jpg"], "has no class folders .and 2 images of its own"),
    ],
)
def test_layouts_that_mean_nothing_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(str(fill(tmp_path, *names)))
