"""Pixels of a request by the headers of its images, before any is decoded."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.models.pixels import pixels_of, refuse_too_many

SIDES = (300, 200)


def saved(form: str, **options) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (*SIDES[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"a" * 60_000}),
        ("PNG", {}),
        ("GIF", {"comment": b"a" * 2000}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ],
)
def test_size_is_read_from_the_header(form, options):
    encoded = saved(form, **options)
    assert pixels_of(encoded, otherwise=1) == SIDES[0] * SIDES[1]
    assert pixels_of(encoded[:12], otherwise=1) == 0


def test_frame_larger_than_its_screen_counts():
    encoded = saved("GIF")
    small = encoded[:6] + struct.pack("<HH", 1, 1) + encoded[10:]
    assert pixels_of(small, otherwise=1) == SIDES[0] * SIDES[1]


@pytest.mark.parametrize("form", ["JPEG", "GIF"])
def test_image_of_many_parts_counts_as_largest(form):
    encoded = saved(form)
    if form == "JPEG":
        slow = encoded[:2] + b"\xff\xfe\0\x02" * 2000 + encoded[2:]
    else:
        frame = 13 + 3 * 256  # behind the palette
        slow = encoded[:frame] + b"!\xfe" + b"\x01a" * 2000 + b"\0" + encoded[frame:]
    assert pixels_of(slow, otherwise=7) == 7


def test_other_bytes_have_no_pixels():
    for encoded in (b"", b"GIF8", b"\xff\xd8\xff", b"no image", "a text"):
        assert pixels_of(encoded, otherwise=1) == 0


def images(count: int, encoded: bytes) -> np.ndarray:
    array = np.empty(count, object)
    array[:] = [encoded] * count
    return array


def examples(count: int, encoded: bytes) -> np.ndarray:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    features = tf.train.Features(feature={"image_bytes": feature})
    return images(count, tf.train.Example(features=features).SerializeToString())


@pytest.mark.parametrize(
    ("name", "make"), [("image_bytes", images), ("inputs", examples)]
)
def test_many_large_images_are_refused(name, make):
    """Of 60,000 pixels each, where one may have 70,000 and all 700,000."""
    refuse_too_many({name: make(11, saved("PNG"))}, 0.07)
    with pytest.raises(ServingError, match="may have 0.7; send fewer") as error:
        refuse_too_many({name: make(12, saved("PNG"))}, 0.07)
    assert error.value.code == Code.RESOURCE_EXHAUSTED
    assert error.value.http_status == 413


def test_image_that_is_refused_alone_counts_nothing():
    refuse_too_many({"image_bytes": images(100, saved("PNG"))}, 0.05)


def test_other_inputs_are_left_alone():
    refuse_too_many({"text": images(100, saved("PNG"))}, 0.001)
    refuse_too_many({"series": np.zeros([100, 3], np.float32)}, 0.001)
    refuse_too_many({"inputs": images(100, b"no example")}, 0.001)
