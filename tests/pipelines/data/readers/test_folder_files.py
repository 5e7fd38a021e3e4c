"""Files of a folder are listed at any depth; links, loops and locks are handled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.audit.folder_layout import walk
from pipelines.data.readers.folder import every_file, read
from pipelines.data.readers.folder_files import EXTENSIONS, hold_sounds
from pipelines.errors import DataError
from tests.support.folders import fill


def test_folder_holds_what_it_has_more_of(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.wav", "cat/b.flac", "cat/cover.jpg", "dog/a.jpg")
    assert hold_sounds([root / "cat", root / "dog"])
    assert not hold_sounds([root / "dog", root / "cat"])
    (root / "none").mkdir()
    assert hold_sounds([root / "none", root / "cat"])
    assert not hold_sounds([root / "none"])


def test_class_folder_as_broken_link_is_named(tmp_path: Path) -> None:
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
def test_unreadable_folder_is_named(as_anyone: Path, locked: str) -> None:
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


@pytest.mark.parametrize("depth", [900, 1500])
def test_deep_folders_are_read_in_linear_time(tmp_path: Path, depth: int) -> None:
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
    assert [*every_file(root, EXTENSIONS)] == list(examples.names)
    # 0.1 s; 55 s when every folder asked for its real path.
    assert time.process_time() - started < 10
    # `shutil.rmtree` calls itself for every folder.
    subprocess.run(["rm", "-rf", root / "dog" / "d"], check=True)


def test_folders_too_deep_for_paths_are_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.jpg", "dog/a.jpg")
    before = Path.cwd()
    try:
        os.chdir(root / "dog")
        for _ in range(40):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    finally:
        os.chdir(before)
    with pytest.raises(
        DataError, match="File name too long. Folders lie in each other"
    ):
        read(str(root))
    assert "a path too long for this system" in {f.problem for f in walk(root).findings}
    subprocess.run(["rm", "-rf", root / "dog"], check=True)
