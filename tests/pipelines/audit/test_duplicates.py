"""Copies are found with the harm that they do, exact ones and similar ones."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.support.audits import findings, only
from tests.support.pictures import photo


def test_same_content_is_worse_in_two_classes(folder: Path) -> None:
    content = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "again.png").write_bytes(content)
    found = only(folder)
    assert (found.severity, found.problem) == ("note", "the same content in one class")
    assert found.about == ("cat/0.png = cat/again.png",)
    (folder / "zebra" / "again.png").write_bytes(content)
    found = only(folder)
    assert (found.severity, found.problem) == (
        "warning",
        "the same content in two classes",
    )


def test_same_content_in_splits_is_an_error(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / "data" / split).mkdir(parents=True)
    for name in ("cat", "zebra"):
        (folder / name).rename(folder / "data" / "train" / name)
        (folder / "data" / "test" / name).mkdir()
        photo(70 + len(name)).save(folder / "data" / "test" / name / "t.png")
    assert findings(folder / "data") == {}
    content = (folder / "data" / "train" / "cat" / "1.png").read_bytes()
    (folder / "data" / "test" / "cat" / "leak.png").write_bytes(content)
    found = only(folder / "data")
    assert (found.severity, found.problem) == (
        "error",
        "the same content in two splits",
    )
    assert found.about == ("train/cat/1.png = test/cat/leak.png",) or found.about == (
        "test/cat/leak.png = train/cat/1.png",
    )


def test_photo_saved_again_is_nearly_the_same(folder: Path) -> None:
    image = Image.open(folder / "cat" / "2.png")
    image.resize((56, 42)).save(folder / "zebra" / "copy.jpg", quality=85)
    found = only(folder)
    assert found.problem == "nearly the same picture in two classes"
    assert found.about == ("cat/2.png = zebra/copy.jpg",)
