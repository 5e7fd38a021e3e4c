"""A walk through a folder lists images, other files and every problem."""

from __future__ import annotations

from pathlib import Path

from pipelines.audit.folder_layout import walk
from tests.support.folders import fill


def problems(root: Path, **options: str) -> dict[str, tuple[str, ...]]:
    findings = walk(root, **options).findings
    return {f"{one.severity}: {one.problem}": one.about for one in findings}


def test_walk_sound_folder_has_images_only(tmp_path: Path) -> None:
    found = walk(fill(tmp_path, "cat/a.jpg", "cat/deep/b.png", "dog/c.gif"))
    assert [image.class_name for image in found.images] == ["cat", "cat", "dog"]
    assert {image.split for image in found.images} == {""}
    assert (found.left_out, found.findings) == ((), ())


def test_walk_other_files_are_left_out(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.jpg", "cat/b.tiff", "cat/raw", "cat/notes.txt")
    fill(root, "dog/.c.jpg", "dog/d.jpg", "loose.png")
    assert problems(root) == {
        "warning: left out: a file named .tiff": ("cat/b.tiff",),
        "warning: left out: a file without an ending": ("cat/raw",),
        "note: left out: a hidden image": ("dog/.c.jpg",),
        "warning: left out: an image in no class folder": ("loose.png",),
    }
    assert [one.path.name for one in walk(root).left_out] == ["b.tiff", "raw"]


def test_walk_splits_are_recognized(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/cat/a.jpg", "val/cat/b.jpg", "more/cat/c.jpg")
    assert [image.split for image in walk(root).images] == ["train", "validation"]
    assert problems(root) == {
        "error: a folder that is not a split, beside splits": ("more",)
    }
    assert {image.split for image in walk(root, layout="classes").images} == {""}


def test_walk_empty_class_and_loop_are_found(tmp_path: Path) -> None:
    root = fill(tmp_path, "cat/a.jpg")
    (root / "dog").mkdir()
    (root / "cat" / "again").symlink_to(root / "cat")
    assert problems(root) == {
        "error: a class without an image": ("dog",),
        "warning: a loop of links, not followed": ("cat/again",),
    }
