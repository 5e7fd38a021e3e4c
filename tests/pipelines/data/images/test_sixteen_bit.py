"""The note on images of 16 bits counts the grey levels that are left."""

from __future__ import annotations

import pytest

from pipelines.data.images.sixteen_bit import deep_note, is_dark


@pytest.mark.parametrize(
    ("deepest", "expected"),
    [
        (0, False),
        (1, True),
        (4095, True),
        (50_000, True),
        (52_000, False),
        (65_535, False),
    ],
)
def test_is_dark(deepest: int, expected: bool) -> None:
    assert is_dark(deepest) == expected


def test_deep_note_of_a_dark_scan() -> None:
    note = deep_note([0, 4095, 3000], 9)
    assert note.startswith("2 of 9 images have 16 bits in each channel")
    assert "largest value is 4,095 of 65,535, which leaves 16 of 256 greys" in note
    assert "Multiply their values by 16 and save them again" in note


def test_deep_note_of_a_full_range_advises_nothing() -> None:
    assert "256 of 256 greys" in deep_note([65_535], 1)
    assert "Multiply" not in deep_note([65_535], 1)


def test_deep_note_without_such_images_is_empty() -> None:
    assert deep_note([0, 0], 2) == deep_note([], 0) == ""
