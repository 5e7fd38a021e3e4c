"""The chunks of a PNG show transparency, and too many of them are reported."""

from __future__ import annotations

import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images.png_chunks import png
from tests.support.pictures import chunk, encode, noise, transparent

PLAIN = encode(Image.fromarray(noise(10, 10)), "PNG")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PLAIN, False),
        (encode(transparent("RGBA"), "PNG"), True),
        (encode(transparent("LA"), "PNG"), True),
        (encode(transparent("P"), "PNG", transparency=3), True),
        (PLAIN[:33] + chunk(b"tEXt", b"tRNS") + PLAIN[33:], False),
    ],
    ids=["opaque", "RGBA", "LA", "palette", "a text"],
)
def test_png_has_alpha(content: bytes, expected: bool) -> None:
    facts = png(tf.constant(content))
    assert bool(facts.has_alpha) == expected
    assert not bool(facts.has_too_many_parts)
    assert not bool(facts.has_too_many_texts)


def test_png_many_images_are_read_side_by_side() -> None:
    glass = encode(transparent("RGBA"), "PNG")
    facts = png(tf.constant([PLAIN, glass, PLAIN[:40]]))
    assert facts.has_alpha.numpy().tolist() == [False, True, False]


@pytest.mark.parametrize(("count", "expected"), [(1000, False), (1100, True)])
def test_png_too_many_parts(count: int, expected: bool) -> None:
    content = PLAIN[:33] + chunk(b"zzZz") * count + PLAIN[33:]
    assert bool(png(tf.constant(content)).has_too_many_parts) == expected
