"""Folders of class folders, with and without splits, as people really leave them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.data.folder import read
from pipelines.errors import DataError


def fill(root: Path, *names: str) -> Path:
    """Empty files: indexing opens none of them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_class_folders_are_read_at_any_depth_in_order(tmp_path: Path) -> None:
    root = fill(tmp_path, "dog/b.PNG", "dog/a.jpeg", "cat/deep/er/x.webp", "cat/a.Gif")
    examples = read(str(root))
    assert examples.class_names == ("cat", "dog")
    assert examples.names == (
        "cat/a.Gif",
        "cat/deep/er/x.webp",
        "dog/a.jpeg",
        "dog/b.PNG",
    )
    assert examples.labels.tolist() == [0, 0, 1, 1]
    assert examples.inputs.paths == tuple(str(root / name) for name in examples.names)
    assert examples.given is None
    assert examples.groups is None


def test_numbered_classes_keep_their_order(tmp_path: Path) -> None:
    root = fill(tmp_path, *(f"{name}/a.jpg" for name in ("10", "2", "1")))
    examples = read(str(root))
    assert examples.class_names == ("1", "2", "10")
    assert [examples.class_names[label] for label in examples.labels] == [
        name.partition("/")[0] for name in examples.names
    ]


def test_hidden_names_are_left_out(tmp_path: Path) -> None:
    hidden = (".git/a.jpg", "__MACOSX/cat/a.jpg", "cat/.a.jpg", "cat/.thumbs/a.jpg")
    root = fill(tmp_path, "cat/a.jpg", "dog/a.jpg", "cat/__MACOSX/a.jpg", *hidden)
    assert read(str(root)).names == ("cat/a.jpg", "dog/a.jpg")


def test_other_files_are_left_out_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = fill(tmp_path, "cat/a.jpg", "dog/a.jpg", "dog/a.tiff", "dog/b.tiff")
    with caplog.at_level(logging.WARNING):
        assert len(read(str(root))) == 2
    assert len(caplog.messages) == 1
    assert "left out 2 .tiff" in caplog.messages[0]


@pytest.mark.parametrize("validation", ["validation", "val", "Val"])
def test_given_splits(tmp_path: Path, validation: str) -> None:
    names = [
        f"{split}/{c}/{split}.jpg" for split in ("train", validation) for c in "ab"
    ]
    examples = read(str(fill(tmp_path, *names)))
    assert examples.class_names == ("a", "b")
    assert examples.given is not None
    assert dict(zip(examples.names, examples.given)) == {
        name: "train" if name.startswith("train") else "validation" for name in names
    }


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    examples = read(str(fill(tmp_path, "train/a.jpg", "test/a.jpg", "bus/a.jpg")))
    assert examples.class_names == ("bus", "test", "train")
    assert examples.given is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["validation/a/1.jpg", "val/a/1.jpg", "train/a/2.jpg"], "same split twice"),
        (["validation/a/1.jpg", "test/a/1.jpg"], "no train folder"),
        (["train/a/1.jpg", "valid/a/1.jpg"], "valid/ is none.*Did you mean 'val'"),
        (["train/a/1.jpg", "test/1.jpg"], "test has no class folders .and 1 images"),
        (["a.jpg", "b.jpg"], "has no class folders .and 2 images of its own"),
    ],
)
def test_layouts_that_mean_nothing_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(str(fill(tmp_path, *names)))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"There is no folder {tmp_path}/photos"):
        read(str(tmp_path / "photos"))
    fill(tmp_path, "photos/cat/a.jpg", "photos/dog/a.jpg", "data.npz")
    assert len(read(str(tmp_path / "photos"))) == 2
    with pytest.raises(DataError, match="data.npz is a file"):
        read(str(tmp_path / "data.npz"))


def test_a_class_with_no_image_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.jpg", "dog/a.heic", "dog/b.heic")
    with pytest.raises(DataError, match="Class 'dog' has no image: it has 2 .heic"):
        read(str(root))
    fill(root, "dog/a.jpg")
    (root / "cow").mkdir()
    with pytest.raises(DataError, match="Class 'cow' has no image: it is empty"):
        read(str(root))
    (root / "cow").rmdir()
    assert read(str(root)).class_names == ("cat", "dog")


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "cat/a.jpg", "dog/a.jpg")
    elsewhere = fill(tmp_path / "elsewhere", "b.jpg")
    (root / "dog" / "more").symlink_to(elsewhere)
    (root / "dog" / "loop").symlink_to(root / "dog")
    (elsewhere / "back").symlink_to(root / "dog")
    (root / "cat" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert read(str(root)).names == (
        "cat/a.jpg",
        "cat/gone.jpg",  # a bad file, for the check to name
        "dog/a.jpg",
        "dog/more/b.jpg",
    )


def test_groups_come_from_the_path_in_the_class(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/p1/a.jpg", "cat/p2_b.jpg", "dog/p1/c.jpg")
    assert read(str(root), group="(p[0-9]+)").groups == ("p1", "p2", "p1")


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("(p[0-9]+", "is not a pattern"),
        ("p[0-9]+", "has 0 capture groups and needs one"),
        ("(p)([0-9]+)", "has 2 capture groups and needs one"),
        ("(p1)", "does not match 'p2.jpg' in .*Widen the pattern"),
        ("p1|p(2)", "does not match 'p1.jpg'"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(
    tmp_path: Path, group: str, message: str
) -> None:
    root = fill(tmp_path, "cat/p1.jpg", "dog/p2.jpg")
    assert read(str(root), group="(p.)").groups == ("p1", "p2")
    with pytest.raises(DataError, match=message):
        read(str(root), group=group)


def test_a_home_folder_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "photos/cat/a.jpg", "photos/dog/a.jpg")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/photos").inputs.paths[0] == str(tmp_path / "photos/cat/a.jpg")
