"""Folders of class folders, with and without splits, as people really leave them."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.audit.folder_layout import walk
from pipelines.data.readers.folder import every_image, read
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
            "tset/ is none.*Did you mean 'test'.*layout=classes",
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
def test_a_file_of_another_kind_says_what_to_do(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=f"{name} is a file; .*{message}"):
        read(str(tmp_path / name))


def test_a_class_folder_that_is_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.jpg", "dog/a.jpg")
    (root / "cow").symlink_to(tmp_path / "gone")
    (root / "emu").symlink_to(root / "emu")
    with pytest.raises(DataError, match="/cow, .*/emu stands where .* link to nothing"):
        read(str(root))
    (root / "cow").unlink()
    (root / "emu").unlink()
    assert read(str(root)).class_names == ("cat", "dog")


@pytest.fixture
def as_anyone() -> Iterator[Path]:
    """A folder of a user that has no rights of root while the test runs."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        os.chown(folder, 65534, -1)
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


@pytest.mark.parametrize("locked", ["dog", "dog/deep"])
def test_a_folder_that_may_not_be_read_is_named(as_anyone: Path, locked: str) -> None:
    root = fill(as_anyone, "cat/a.jpg", "dog/a.jpg", "dog/deep/b.jpg")
    (root / locked).chmod(0)
    with pytest.raises(DataError, match=f"{locked} cannot be read: Permission denied"):
        read(str(root))
    (root / locked).chmod(0o700)
    assert len(read(str(root))) == 3


def test_names_are_as_the_file_system_has_them(tmp_path: Path) -> None:
    names = ["a\nb.jpg", 'it\'s "1".jpg', "naïve.jpg", os.fsdecode(b"\xff\xfe.jpg")]
    root = fill(tmp_path, *(f"{c}/{name}" for c in ("cat", "dog") for name in names))
    examples = read(str(root))
    assert {os.fsencode(Path(path).name) for path in examples.inputs.paths} == {
        os.fsencode(name) for name in names
    }
    assert examples.names[:4] == (
        "cat/a\nb.jpg",
        'cat/it\'s "1".jpg',
        "cat/naïve.jpg",
        "cat/\udcff\udcfe.jpg",
    )


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


@pytest.mark.parametrize("depth", [900, 1500])
def test_folders_a_thousand_deep_are_read_in_linear_time(
    tmp_path: Path, depth: int
) -> None:
    root = fill(tmp_path, "cat/a.jpg", "dog/a.jpg")
    below = root / "dog"
    for _ in range(depth):
        below /= "d"
        below.mkdir()
    (below / "deep.jpg").touch()
    started = time.process_time()
    examples = read(str(root))
    assert examples.names == ("cat/a.jpg", "dog/a.jpg", f"dog/{'d/' * depth}deep.jpg")
    assert len(walk(root).images) == 3
    assert [*every_image(root)] == list(examples.names)
    # 0.1 s; 55 s when every folder asked for its real path.
    assert time.process_time() - started < 10
    # `shutil.rmtree` calls itself for every folder.
    subprocess.run(["rm", "-rf", root / "dog" / "d"], check=True)


def test_folders_deeper_than_a_path_can_say_are_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.jpg", "dog/a.jpg")
    before = Path.cwd()
    try:
        os.chdir(root / "dog")
        for _ in range(40):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    finally:
        os.chdir(before)
    with pytest.raises(DataError, match="File name too long. So many folders lie in"):
        read(str(root))
    assert "a path too long for this system" in {f.problem for f in walk(root).findings}
    subprocess.run(["rm", "-rf", root / "dog"], check=True)
