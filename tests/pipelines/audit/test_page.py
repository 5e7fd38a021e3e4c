"""The page of `zoo check --report` shows findings, and nothing in the data can hurt."""

from __future__ import annotations

import base64
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.audit.audit import Audit, audit
from pipelines.audit.page import page as page_of
from pipelines.cli import main
from pipelines.data.reference import DatasetRef

ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong"),
    *("div", "span", "ul", "li", "img", "br", "code", "table", "tr", "th", "td"),
}
NAMES = [
    b"<script>alert(1)</script>.jpg",
    b'"><img src=x onerror=alert(1)>.jpg',
    b"line\nbreak.jpg",
    b"quote'\".jpg",
    b"\xff\xfe.jpg",
    "é ü 漢\u202e.jpg".encode(),
    b"&lt;b&gt;.jpg",
]


class Page(HTMLParser):
    """The tags, the texts and the pictures of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def pictures(self) -> list[Image.Image]:
        found = [value or "" for name, value in self.attributes if name == "src"]
        assert all(value.startswith("data:image/jpeg;base64,") for value in found)
        return [
            Image.open(io.BytesIO(base64.b64decode(value.partition(",")[2])))
            for value in found
        ]


def photo(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for c, name in enumerate(("cat", "zebra")):
        (root / name).mkdir(parents=True)
        for i in range(3):
            photo(10 * c + i).save(root / name / f"{i}.png")
    return root


def audited(folder: Path) -> Audit:
    return audit(DatasetRef.parse(f"dir:{folder}"))


def test_a_page_shows_what_was_found(folder: Path) -> None:
    photo(50).save(folder / "cat" / "wrong.jpg", "PNG")
    content = (folder / "cat" / "0.png").read_bytes()
    (folder / "zebra" / "copy.png").write_bytes(content)
    (folder / "zebra" / "cut.png").write_bytes(content[: len(content) // 2])
    page = Page(page_of(audited(folder)))
    for said in (
        "9 examples in 2 classes",
        "A run would refuse these data",
        "wrong extension: a PNG whose name ends in .jpg (1)",
        "the same content in two classes (1)",
        "cat/0.png = zebra/copy.png",
        "zebra/cut.png",
    ):
        assert said in page.text
    # One of the wrong name and two of the same; half a file has no picture.
    assert len(page.pictures) == 3
    first = page.pictures[0]
    assert max(first.size) <= 112
    expected = np.asarray(photo(0).resize(first.size)).astype(int)
    shown = [np.asarray(one.convert("RGB")).astype(int) for one in page.pictures]
    assert min(np.abs(one - expected).mean() for one in shown) < 8


def test_a_page_of_sound_data_says_so(folder: Path) -> None:
    page = Page(page_of(audited(folder)))
    assert "No problems were found." in page.text
    assert "refuse" not in page.text
    assert page.pictures == []


def test_names_cannot_do_anything(folder: Path) -> None:
    for i, name in enumerate(NAMES):
        path = Path(
            os.fsdecode(os.fsencode(folder / "cat") + b"/" + name.replace(b"/", b""))
        )
        photo(20 + i).save(path, "PNG")
    (folder / "<script>alert(2)<").mkdir()
    for i in range(3):
        photo(40 + i).save(folder / "<script>alert(2)<" / f"{i}.png")
    text = page_of(audited(folder))
    assert text.isascii()
    page = Page(text)
    assert set(page.tags) <= ALLOWED
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "default-src 'none'" in dict(page.attributes)["content"]
    for said in ("<script>alert(1)<", "<script>alert(2)<", r"line\nbreak.jpg", "&lt;b"):
        assert said in page.text
    assert r"\udcff\udcfe.jpg" in page.text
    assert len(page.pictures) == len(NAMES)


def test_a_page_is_bounded(folder: Path) -> None:
    for i in range(30):
        photo(20 + i).save(folder / "cat" / f"{i:02}.jpg", "PNG")
    found = audited(folder)
    page = Page(page_of(found))
    assert len(page.pictures) == 24
    assert "and 6 more" in page.text
    assert len(Page(page_of(found, most_thumbnails=5)).pictures) == 5


def test_arrays_have_pictures_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3), dtype=np.uint8)
    pixels[8] = pixels[0]
    np.savez(tmp_path / "x.npz", x=pixels, y=np.arange(9) % 2)
    found = audit(DatasetRef.parse(f"npz:{tmp_path}/x.npz"))
    assert len(Page(page_of(found)).pictures) == 2


def test_the_command_writes_the_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "page.html"
    assert main(["check", f"dir:{folder}", "--report", str(path)]) == 0
    assert "No problems were found" in path.read_text()
    assert f"the page is {path}" in capsys.readouterr().out
    assert main(["check", f"dir:{folder}", "--report", str(tmp_path)]) == 2
