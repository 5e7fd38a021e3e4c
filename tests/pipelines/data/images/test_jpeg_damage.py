"""Damage in the picture of a JPEG, which TensorFlow decodes without an error."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

from pipelines.data.checks.inspect_image import inspect_image
from pipelines.data.images import jpeg_damage

KINDS = {
    "plain": {"quality": 90},
    "coarse": {"quality": 60, "optimize": True},
    "progressive": {"quality": 85, "progressive": True},
    "restarting": {"quality": 85, "restart_marker_rows": 1},
}
# What the README says, with room for another random number generator.
SHARE_FOUND = 0.6


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(load_sample_image("china.jpg")[100:340, 100:420])


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def as_tensorflow_sees(content: bytes) -> np.ndarray:
    pixels = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    return pixels.numpy().astype(int)


def corrupted(content: bytes, rng: np.random.Generator) -> bytes:
    """One flipped byte, or 64 that were zeroed or taken from elsewhere in the scan."""
    damaged = bytearray(content)
    start = content.index(b"\xff\xda") + 14
    at, other = rng.integers(start, len(content) - 70, size=2)
    match rng.integers(3):
        case 0:
            damaged[at] ^= int(rng.integers(1, 256))
        case 1:
            damaged[at : at + 64] = bytes(64)
        case 2:
            damaged[at : at + 64] = content[other : other + 64]
    return bytes(damaged)


def test_most_damage_that_changes_pixels_is_found(photo: Image.Image) -> None:
    rng = np.random.default_rng(0)
    silent = found = 0
    for options in KINDS.values():
        content = jpeg(photo, **options)
        sound = as_tensorflow_sees(content)
        assert jpeg_damage.read(content)[1] == ""
        for damaged in (corrupted(content, rng) for _ in range(75)):
            try:
                pixels = as_tensorflow_sees(damaged)
            except tf.errors.InvalidArgumentError:
                continue  # noticed, and refused
            if (np.abs(pixels - sound).max(axis=-1) > 8).mean() > 0.01:
                silent += 1
                found += bool(jpeg_damage.read(damaged)[1])
    assert silent >= 100
    assert found / silent >= SHARE_FOUND


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("kind", KINDS)
def test_sound_pictures_of_every_mode_are_sound(
    mode: str, kind: str, photo: Image.Image
) -> None:
    content = jpeg(photo.convert(mode), **KINDS[kind])
    grey, damage = jpeg_damage.read(content)
    assert damage == ""
    if mode == "CMYK":
        assert grey is None
        return
    assert grey is not None
    assert min(grey.shape) >= 60
    height, width = grey.shape
    expected = np.asarray(photo.convert("L").resize((width, height)))
    assert np.abs(grey.astype(int) - expected).mean() < 4


def test_read_damage_has_the_same_words(
    photo: Image.Image,
) -> None:
    content = jpeg(photo, quality=90)
    for extra in (b"abc", b"abcdefgh" * 9):
        damaged = content[:-2] + extra + content[-2:]
        assert jpeg_damage.read(damaged)[1] == "extraneous bytes before marker"
        inspection = inspect_image(damaged, suffix=".jpg", maximum_megapixels=50.0)
        assert inspection.bad == (
            "damaged JPEG, which TensorFlow decodes all the same"
            " (extraneous bytes before marker)"
        )
    assert inspect_image(content, suffix=".jpg", maximum_megapixels=50.0).bad == ""


def test_read_warnings_about_headers_are_ignored(photo: Image.Image) -> None:
    """An unknown version of JFIF, which libjpeg warns of, and bytes after the end."""
    content = bytearray(jpeg(photo, quality=90))
    content[content.index(b"JFIF\0") + 5] = 9
    assert jpeg_damage.read(bytes(content) + b"behind the end")[1] == ""
    start = content.index(b"\xff\xda") + 600
    content[start : start + 4000] = content[start + 4000 : start + 8000]
    assert jpeg_damage.read(bytes(content))[1] != ""
