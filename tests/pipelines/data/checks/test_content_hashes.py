"""Every bad file is found and named before training; good files get their hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.splits import ImageArray, ImageFiles
from pipelines.errors import DataError


def image_file(path: Path, *, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(path)
    return path


def check(*paths: Path) -> list[str]:
    return content_hashes(ImageFiles(tuple(map(str, paths))))


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def test_good_files_give_their_sha256_in_order(tmp_path: Path) -> None:
    kinds = ["a.jpg", "b.png", "c.gif", "d.bmp", "e.webp"]
    paths = [image_file(tmp_path / name, seed=i) for i, name in enumerate(kinds)]
    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert check(*paths) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.jpg", "JPEG"), ("x.png", "PNG"), ("x.gif", "GIF"), ("x.webp", "WebP")],
)
def test_a_truncated_file_is_named(tmp_path: Path, name: str, kind: str) -> None:
    path = image_file(tmp_path / name)
    assert len(check(path)) == 1
    cut(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=rf"{path}: cut-short {kind} \("):
        check(path)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = cut(image_file(tmp_path / "x.jpg"), 0)
    with pytest.raises(DataError, match=f"{path}: empty file"):
        check(path)


def test_text_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_text("<html>not found</html>")
    with pytest.raises(DataError, match=rf"{path}: not an image .*starts with b'<html"):
        check(path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    link, folder = tmp_path / "link.jpg", tmp_path / "folder.jpg"
    target = tmp_path / "target.jpg"
    link.symlink_to(target)
    folder.mkdir()
    with pytest.raises(DataError, match=r"link.jpg: cannot be read \(a link to nothin"):
        check(link)
    with pytest.raises(DataError, match=r"folder.jpg: cannot be read \(is a directory"):
        check(folder)
    image_file(target)
    assert check(link) == check(target)


def test_missing_rights_are_named(tmp_path: Path) -> None:
    path = image_file(tmp_path / "x.jpg")
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        with pytest.raises(DataError, match=r"x.jpg: cannot be read \(permission den"):
            check(path)
    path.chmod(0o600)
    assert len(check(path)) == 1


def test_bad_files_are_counted_and_ten_named(tmp_path: Path) -> None:
    good = [image_file(tmp_path / f"good{i}.png", seed=i) for i in range(5)]
    bad = [cut(image_file(tmp_path / f"bad{i:02}.jpg"), 100) for i in range(13)]
    with pytest.raises(DataError, match="13 of 18 image files cannot be used") as found:
        check(*good, *bad)
    message = str(found.value)
    assert message.count("cut-short JPEG") == 10
    assert "bad09.jpg" in message
    assert "bad10.jpg" not in message
    assert "\n  and 3 more\n" in message
    assert "makes a copy of a folder without them." in message
    assert message.endswith("add on_bad=skip to the reference.")
    assert len(check(*good)) == 5


def test_progress_counts_to_the_total(tmp_path: Path) -> None:
    paths = [image_file(tmp_path / f"{i}.png", seed=i) for i in range(4)]
    seen: list[tuple[int, int]] = []
    content_hashes(
        ImageFiles(tuple(map(str, paths))),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_arrays_are_hashed_with_their_shape() -> None:
    pixels = np.zeros((3, 2, 8, 3), np.uint8)
    pixels[2] = 1
    same, again, other = content_hashes(ImageArray(pixels))
    assert same == again != other
    assert content_hashes(ImageArray(pixels.reshape(3, 4, 4, 3)))[0] != same


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    good = image_file(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    with pytest.raises(DataError, match="b.png: a pipe, not a file"):
        check(good, tmp_path / "b.png")
    assert len(check(good)) == 1
