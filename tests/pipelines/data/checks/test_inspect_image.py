"""The inspection of an image gives hashes, size and oddities, or the reason."""

from __future__ import annotations

import hashlib

import pytest

from pipelines.data.checks.inspect_image import inspect_image
from pipelines.data.checks.inspection import Inspection
from tests.support.pictures import encode, photo


def inspected(content: bytes, suffix: str | None = ".png") -> Inspection:
    return inspect_image(content, suffix=suffix, maximum_megapixels=50.0)


def test_sound_image_has_hashes_and_size() -> None:
    content = encode(photo(1), "PNG")
    found = inspected(content)
    assert (found.bad, found.odd, found.kind) == ("", (), "PNG")
    assert (found.width_px, found.height_px) == (64, 48)
    assert found.content == hashlib.sha256(content).hexdigest()
    assert inspected(content, suffix=None) == found


def test_appearance_is_nearly_equal_when_saved_again() -> None:
    first = inspected(encode(photo(1), "PNG")).appearance
    again = encode(photo(1).resize((56, 42)), "JPEG", quality=85)
    other = inspected(encode(photo(2), "PNG")).appearance
    assert (first ^ inspected(again, ".jpg").appearance).bit_count() <= 3
    assert (first ^ other).bit_count() > 3


@pytest.mark.parametrize(
    ("content", "reason", "whole"),
    [
        (b"", "empty file", False),
        (b"<html>", "not an image of the kinds", False),
        (encode(photo(1), "PNG")[:500], "cut-short PNG", False),
        (encode(photo(1), "TIFF"), "unsupported: a TIFF", True),
        (encode(photo(1).convert("P"), "BMP"), "a BMP with a palette", True),
    ],
    ids=["empty", "html", "cut", "tiff", "palette"],
)
def test_bad_image_has_reason(content: bytes, reason: str, whole: bool) -> None:
    found = inspected(content)
    assert reason in found.bad
    assert found.whole == whole
    assert found.content == ""
