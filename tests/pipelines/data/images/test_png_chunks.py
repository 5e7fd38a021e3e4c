"""The chunks of a PNG show transparency, and too many of them are reported."""

from __future__ import annotations

import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images.png_chunks import png
from tests.support.pictures import chunk, encode, noise, transparent

PLAIN = encode(Image.fromarray(noise(10, 10)), "PNG")


@tf.function
def facts_in_graph(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    facts = png(encoded)
    return facts.has_alpha, facts.has_too_many_parts, facts.has_too_many_texts


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
    has_alpha, *has_too_many = facts_in_graph(tf.constant(content))
    assert bool(has_alpha) == expected
    assert not any(has_too_many)


def test_png_many_images_are_read_side_by_side() -> None:
    glass = encode(transparent("RGBA"), "PNG")
    has_alpha, *_ = facts_in_graph(tf.constant([PLAIN, glass, PLAIN[:40]]))
    assert has_alpha.numpy().tolist() == [False, True, False]


@pytest.mark.parametrize(("count", "expected"), [(1000, False), (1100, True)])
def test_png_too_many_parts(count: int, expected: bool) -> None:
    content = PLAIN[:33] + chunk(b"zzZz") * count + PLAIN[33:]
    _, has_too_many_parts, _ = facts_in_graph(tf.constant(content))
    assert bool(has_too_many_parts) == expected
