"""Images that would be read wrongly, or cost too much, are refused with a reason."""

from __future__ import annotations

import functools
import io
import re
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.images.decode import decode
from pipelines.data.splits import ImageFiles
from pipelines.errors import DataError
from tests.support.pictures import (
    animated,
    as_pillow_sees,
    chunk,
    encode,
    noise,
    transparent,
)

FORMATS = ["JPEG", "PNG", "GIF", "BMP", "WEBP"]


def claims(side: int, kind: str) -> bytes:
    """A small image whose header claims to be a large one."""
    content = bytearray(encode(Image.fromarray(noise(20, 30)), kind))
    if kind == "PNG":
        content[16:24] = side.to_bytes(4, "big") * 2
    elif kind == "BMP":
        content[18:26] = side.to_bytes(4, "little") * 2
    elif kind == "GIF":
        content[6:10] = side.to_bytes(2, "little") * 2
    elif kind == "JPEG":
        start = content.index(b"\xff\xc0")
        content[start + 5 : start + 9] = side.to_bytes(2, "big") * 2
    else:
        content[26:30] = side.to_bytes(2, "little") * 2
    return bytes(content)


REFUSED = [
    *((claims(12_000, kind), "more than 50 million") for kind in ("PNG", "JPEG")),
    *((claims(12_000, kind), "more than 50 million") for kind in ("GIF", "BMP")),
    (claims(12_000, "WEBP"), "more than 50 million"),
    (claims(0, "PNG"), "more than 50 million pixels, or of none"),
    (animated("WEBP"), "an animated WebP"),
    (encode(transparent("P"), "BMP"), "a BMP with a palette"),
    (encode(transparent("1"), "BMP"), "a BMP with a palette"),
]


@pytest.mark.parametrize(
    ("content", "reason"), REFUSED, ids=[f"{b[:4]!r} {r}" for b, r in REFUSED]
)
def test_images_read_wrongly_are_refused_and_named(
    content: bytes,
    reason: str,
    tmp_path: Path,
    decode_in_graph: tf.types.experimental.PolymorphicFunction,
) -> None:
    for function in (decode, decode_in_graph):
        with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
            function(tf.constant(content))
    path = tmp_path / "named.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"named\.png: .*{reason}"):
        content_hashes(ImageFiles((str(path),)))


def test_as_many_pixels_as_allowed_are_read() -> None:
    for kind in FORMATS:
        content = encode(Image.fromarray(noise(20, 30)), kind)
        pixels = decode(tf.constant(content), maximum_megapixels=0.0006)
        assert pixels.shape == (20, 30, 3)
        larger = tf.constant(encode(Image.fromarray(noise(20, 31)), kind))
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than 0.0006"):
            decode(larger, maximum_megapixels=0.0006)


def of_many_chunks(count: int) -> bytes:
    plain = encode(Image.fromarray(noise(10, 10)), "PNG")
    return plain[:33] + chunk(b"zzZz") * count + plain[33:]


def of_many_texts(count: int, *, kind: bytes, behind: bool) -> bytes:
    """Each of 5 kB, and of 5 MB when it is read."""
    plain = encode(Image.fromarray(noise(10, 10)), "PNG")
    head = b"key\0\0" if kind == b"zTXt" else b"key\0\1\0\0\0"
    texts = chunk(kind, head + zlib.compress(b"a" * 5_000_000)) * count
    at = plain.index(b"IEND") - 4 if behind else 33
    return plain[:at] + texts + plain[at:]


def of_many_segments(count: int) -> bytes:
    plain = encode(Image.fromarray(noise(10, 10)), "JPEG")
    return plain[:2] + b"\xff\xfe\0\2" * count + b"\xff\xfe\0\x08Exif\0\0" + plain[2:]


def of_many_scans(count: int) -> bytes:
    """One that goes over its picture again and again; an end is hidden in a comment."""
    buffer = io.BytesIO()
    Image.new("L", (640, 640), 128).save(buffer, "JPEG", progressive=True)
    plain = buffer.getvalue()
    first, second, third = [m.start() for m in re.finditer(rb"\xff\xda", plain)][:3]
    again = plain[second:third]
    comment = b"\xff\xfe\0\6ab\xff\xd9"
    return plain[:third] + comment + again * count + plain[third:]


def of_many_blocks(before: bytes, count: int) -> bytes:
    plain = encode(Image.fromarray(noise(10, 10)).quantize(16), "GIF")
    frame = plain.index(b",", 13 + 3 * 16)
    return plain[:frame] + b"\x21\xfe" + before * count + b"\0" + plain[frame:]


def larger_than_its_screen() -> bytes:
    content = bytearray(encode(Image.new("L", (3000, 3000)), "GIF"))
    content[6:10] = struct.pack("<HH", 10, 10)
    return bytes(content)


COSTLY = {
    "chunks": (of_many_chunks(20_000), "a PNG of more than 1024 chunks"),
    "texts": (
        of_many_texts(17, kind=b"zTXt", behind=False),
        "a PNG of more than 16 texts",
    ),
    "texts behind": (
        of_many_texts(17, kind=b"iTXt", behind=True),
        "a PNG of more than 16 texts",
    ),
    "segments": (of_many_segments(60_000), "a JPEG of more than 1024 segments"),
    "scans": (of_many_scans(80), "a JPEG of more than 64 scans"),
    "blocks": (of_many_blocks(b"\1a\2ab", 60_000), "a GIF of more than 1024 blocks"),
    "frame": (larger_than_its_screen(), "an image of more than 5 million pixels"),
}


@pytest.fixture(scope="module")
def decode_small() -> tf.types.experimental.PolymorphicFunction:
    spec = [tf.TensorSpec([], tf.string)]
    small = functools.partial(decode, maximum_megapixels=5)
    function = tf.function(small, input_signature=spec).get_concrete_function()
    for kind in FORMATS:  # what a first call of each costs is another question
        function(tf.constant(encode(Image.fromarray(noise(20, 20)), kind)))
    return function


@pytest.mark.parametrize("kind", COSTLY)
def test_what_a_file_chooses_is_bounded(
    kind: str, decode_small: tf.types.experimental.PolymorphicFunction
) -> None:
    content, reason = COSTLY[kind]
    started = time.process_time()
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        decode_small(tf.constant(content))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "content",
    [
        of_many_chunks(1000),
        of_many_texts(16, kind=b"tEXt", behind=False),
        of_many_segments(1000),
        of_many_scans(10),
        of_many_blocks(b"\1a", 120_000),
    ],
    ids=["chunks", "texts", "segments", "scans", "blocks"],
)
def test_what_is_within_the_bounds_is_read(
    content: bytes, decode_small: tf.types.experimental.PolymorphicFunction
) -> None:
    found = decode_small(tf.constant(content)).numpy().astype(int)
    assert np.abs(found - as_pillow_sees(content)).max() <= 1
