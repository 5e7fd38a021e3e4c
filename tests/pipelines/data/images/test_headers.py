"""Headers say the size and the form that Pillow wrote."""

from __future__ import annotations

import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images import headers
from pipelines.data.images.headers import Head
from tests.support.pictures import animated, encode, noise, transparent

PICTURE = Image.fromarray(noise(20, 30))


def head(content: bytes) -> Head:
    return Head(tf.constant(content))


def test_numbers_have_both_byte_orders() -> None:
    one = head(bytes([1, 2, 3, 255]))
    assert int(one.u8(3)) == 255
    assert int(one.u16(0, little=True)) == 0x0201
    assert int(one.u16(0, little=False)) == 0x0102
    assert int(one.u32(0, little=False)) == 0x010203FF
    assert int(one.u32(0, little=True)) == 0xFF030201
    assert bool(one.is_at(1, (2, 3)))
    assert not bool(one.is_at(1, (3, 2)))


def test_bytes_beyond_the_end_are_zero() -> None:
    assert int(head(b"").u8(0)) == 0
    assert int(head(b"a").u32(0, little=True)) == ord("a")
    assert int(Head(tf.constant(b"abc"), 4, 2).u8(0)) == ord("c")
    assert int(Head(tf.constant(b"abc"), 4, 9).u8(0)) == 0


@pytest.mark.parametrize(
    ("pixels", "content"),
    [
        (headers.png_pixels, encode(PICTURE, "PNG")),
        (headers.gif_pixels, encode(PICTURE, "GIF")),
        (headers.bmp_pixels, encode(PICTURE, "BMP")),
        (headers.webp_pixels, encode(PICTURE, "WEBP")),
        (headers.webp_pixels, encode(PICTURE, "WEBP", lossless=True)),
        (headers.webp_pixels, animated("WEBP")),
    ],
    ids=["PNG", "GIF", "BMP", "WebP lossy", "WebP lossless", "WebP extended"],
)
def test_pixels_are_width_times_height(pixels, content: bytes) -> None:
    assert int(pixels(head(content))) == 600


def test_png_bits_and_grey() -> None:
    grey = head(encode(PICTURE.convert("1"), "PNG"))
    colour = head(encode(PICTURE, "PNG"))
    assert (int(headers.png_bits(grey)), bool(headers.png_is_grey(grey))) == (1, True)
    assert (int(headers.png_bits(colour)), bool(headers.png_is_grey(colour))) == (
        8,
        False,
    )


def test_webp_alpha_and_animation() -> None:
    plain, glass, film = (
        head(content)
        for content in (
            encode(PICTURE, "WEBP"),
            encode(transparent("RGBA"), "WEBP", lossless=True),
            animated("WEBP"),
        )
    )
    assert [bool(headers.webp_has_alpha(one)) for one in (plain, glass)] == [
        False,
        True,
    ]
    assert [bool(headers.webp_is_animated(one)) for one in (plain, film)] == [
        False,
        True,
    ]
