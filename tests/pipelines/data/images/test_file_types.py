"""Kinds of image files are known by their first bytes, and cut files by their last."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipelines.data.images.file_types import (
    KINDS,
    cut_short,
    endings,
    is_deep,
    is_indexed,
    kind_of,
)
from tests.support.pictures import encode, photo


@pytest.mark.parametrize("kind", KINDS)
def test_kind_of_what_pillow_writes(kind: str) -> None:
    content = encode(photo(1), kind)
    assert kind_of(content) == kind
    assert not cut_short(content, kind)
    assert cut_short(content[: len(content) // 2], kind)
    assert f".{kind.lower()}" in endings(kind)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (encode(photo(1), "TIFF"), "TIFF"),
        (encode(photo(1), "ICO"), "ICO"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"%PDF-1.7", "PDF"),
        (b"no image", ""),
        (b"", ""),
    ],
)
def test_kind_of_other_files(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind
    assert kind not in KINDS


def test_deep_and_indexed_png() -> None:
    deep = encode(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)), "PNG")
    indexed = encode(photo(1).convert("P"), "PNG")
    plain = encode(photo(1), "PNG")
    assert [is_deep(one, "PNG") for one in (deep, indexed, plain)] == [
        True,
        False,
        False,
    ]
    assert [is_indexed(one, "PNG") for one in (deep, indexed, plain)] == [
        False,
        True,
        False,
    ]
    assert not is_deep(deep, "GIF")
