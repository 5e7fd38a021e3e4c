"""Folders of class folders, with and without splits, as people really leave them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.data.readers.folder import read
from pipelines.errors import DataError
from tests.support.folders import fill


def test_class_folders_are_read_at_any_depth(tmp_path: Path) -> None:
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
    assert examples.splits is None
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


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"There is no folder {tmp_path}/photos"):
        read(str(tmp_path / "photos"))
    fill(tmp_path, "photos/cat/a.jpg", "photos/dog/a.jpg", "data.npz")
    assert len(read(str(tmp_path / "photos"))) == 2
    with pytest.raises(DataError, match="data.npz is a file"):
        read(str(tmp_path / "data.npz"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photos.zip", "Unpack the archive first: unzip"),
        ("photos.tar.gz", "Unpack the archive first: tar -xf"),
        ("photos.tar", "Unpack the archive first: tar -xf"),
        ("photos.npz", "use 'npz:'"),
        ("photos.csv", "use 'csv:'"),
    ],
)
def test_file_of_another_kind_gives_advice(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=f"{name} is a file; .*{message}"):
        read(str(tmp_path / name))


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
