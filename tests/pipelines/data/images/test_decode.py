"""Decoding equals Pillow, and resizing is the same for one image and for many."""

from __future__ import annotations

import functools
import io
import re
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.checks.inspect_image import inspect_image
from pipelines.data.images.decode import decode, decode_and_resize, resize
from pipelines.data.images.exif import orientation as orientation_of
from pipelines.data.images.exif import upright
from pipelines.data.splits import ImageFiles
from pipelines.errors import DataError

FORMATS = ["JPEG", "PNG", "GIF", "BMP", "WEBP"]


def noise(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def as_pillow_sees(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def decode_in_graph() -> tf.types.experimental.PolymorphicFunction:
    return tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])


@pytest.mark.parametrize("kind", FORMATS)
def test_decode_equals_pillow(kind: str) -> None:
    content = encode(Image.fromarray(noise(37, 53)), kind)
    pixels = decode(tf.constant(content)).numpy()
    assert pixels.dtype == np.uint8
    assert (pixels == as_pillow_sees(content)).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_decode_in_a_graph_equals_eager(
    kind: str, decode_in_graph: tf.types.experimental.PolymorphicFunction
) -> None:
    content = tf.constant(encode(Image.fromarray(noise(40, 30)), kind))
    assert (decode_in_graph(content).numpy() == decode(content).numpy()).all()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "JPEG"), ("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("CMYK", "JPEG")],
)
def test_other_modes_become_three_channels(mode: str, kind: str) -> None:
    content = encode(Image.fromarray(noise(20, 30)).convert(mode), kind)
    expected = as_pillow_sees(content).astype(int)
    difference = np.abs(decode(tf.constant(content)).numpy() - expected).max()
    assert difference <= (2 if mode == "CMYK" else 0)  # CMYK: rounding differs


def test_damaged_bytes_are_an_error_in_a_graph_too(
    decode_in_graph: tf.types.experimental.PolymorphicFunction,
) -> None:
    content = encode(Image.fromarray(noise(40, 30)), "JPEG")
    assert decode_in_graph(content).shape == (40, 30, 3)
    for bad in (content[:200], b"", b"no image"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG|Input|Unknown"):
            decode_in_graph(bad)


def test_resize_is_a_rounded_square_for_one_and_for_many() -> None:
    images = np.stack([noise(50, 30, seed=seed) for seed in range(3)])
    many = resize(tf.constant(images), 24)
    assert (many.dtype, many.shape) == (tf.uint8, (3, 24, 24, 3))
    # Networks ask for the shape before there are pixels.
    spec = tf.TensorSpec([None, None, 3], tf.uint8)
    graph = tf.function(lambda image: resize(image, 24), input_signature=[spec])
    assert graph.get_concrete_function().output_shapes == (24, 24, 3)
    spec = tf.TensorSpec([None, 50, 30, 3], tf.uint8)
    graph = tf.function(lambda images: resize(images, 24), input_signature=[spec])
    assert graph(images[:0]).shape == (0, 24, 24, 3)
    for image, resized in zip(images, many.numpy()):
        assert (resize(tf.constant(image), 24).numpy() == resized).all()
        exact = tf.image.resize(image, [24, 24], antialias=True).numpy()
        assert np.abs(resized - exact).max() <= 0.5
        pillow = Image.fromarray(image).resize((24, 24), Image.Resampling.BILINEAR)
        assert np.abs(resized.astype(int) - np.asarray(pillow)).max() <= 1


def test_resize_to_the_same_size_changes_nothing() -> None:
    image = noise(24, 24)
    assert (resize(tf.constant(image), 24).numpy() == image).all()


def as_a_person_sees(content: bytes) -> np.ndarray:
    """Pillow's pixels, upright and on white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def turned(orientation: int, *, byte_order: str = "MM", before: bytes = b"") -> bytes:
    """A JPEG whose Exif segment says how the camera was held."""
    little = byte_order == "II"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if little else "big")

    make = number(0x010F, 2) + number(2, 2) + number(2, 4) + b"ab\0\0"
    tag = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2)
    tiff = byte_order.encode() + number(42, 2) + number(8, 4) + number(2, 2)
    exif = b"Exif\0\0" + tiff + make + tag + b"\0\0" + number(0, 4)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    plain = encode(Image.fromarray(noise(24, 40)), "JPEG")
    return plain[:2] + before + segment + plain[2:]


COMMENT = b"\xff\xfe\x00\x07Exif\0"


class TestOrientation:
    @pytest.mark.parametrize("byte_order", ["MM", "II"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_all_eight_are_turned_as_pillow_turns_them(
        self, orientation: int, byte_order: str
    ) -> None:
        content = turned(orientation, byte_order=byte_order)
        found = decode(tf.constant(content)).numpy()
        assert found.shape == ((40, 24, 3) if orientation >= 5 else (24, 40, 3))
        assert (found == as_a_person_sees(content)).all()

    def test_in_a_graph_and_behind_another_segment(
        self, decode_in_graph: tf.types.experimental.PolymorphicFunction
    ) -> None:
        content = turned(6, before=COMMENT)
        assert (
            decode_in_graph(tf.constant(content)).numpy() == as_a_person_sees(content)
        ).all()

    @pytest.mark.parametrize(
        "before",
        [
            (b"\xff\xe2\xea\x62" + bytes(0xEA60)) * 5,
            b"\xff",
            b"\xff" * 40,
            COMMENT * 900,
        ],
        ids=["300 kB", "a fill byte", "many fill bytes", "900 segments"],
    )
    def test_it_is_found_however_far_behind(
        self,
        before: bytes,
        decode_in_graph: tf.types.experimental.PolymorphicFunction,
    ) -> None:
        content = turned(6, before=before)
        found = decode_in_graph(tf.constant(content)).numpy()
        assert (found == as_a_person_sees(turned(6))).all()
        inspection = inspect_image(content, suffix=".jpg", maximum_megapixels=50)
        assert "turned by its Exif" in inspection.odd

    def test_what_is_behind_the_segment_is_no_exif(self) -> None:
        """The tags say that they stand where the next segment has others."""
        exif = b"Exif\0\0MM\0*" + (100).to_bytes(4, "big")
        tag = bytes.fromhex("0001 0112 0003 00000001 0006 0000")
        behind = b"\xff\xfe\x00\x80" + tag * 9
        segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
        plain = encode(Image.fromarray(noise(24, 40)), "JPEG")
        content = plain[:2] + segment + behind + plain[2:]
        assert orientation_of(content) == 1

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_what_means_nothing_turns_nothing(self, orientation: int) -> None:
        assert decode(tf.constant(turned(orientation))).shape == (24, 40, 3)

    @pytest.mark.parametrize("cut", range(2, 60, 3))
    def test_damage_to_the_segment_never_fails(self, cut: int) -> None:
        """Lengths and offsets that lie lead nowhere, and the picture is there."""
        content = bytearray(turned(6))
        content[6 + cut % 40] ^= 0xFF
        try:
            shape = decode(tf.constant(bytes(content))).shape
        except tf.errors.InvalidArgumentError:
            pytest.skip("the JPEG itself is damaged")
        assert sorted(shape) == [3, 24, 40]


def transparent(mode: str) -> Image.Image:
    rgba = np.dstack([noise(20, 30), noise(20, 30, seed=1)[..., 0]])
    return Image.fromarray(rgba).convert(mode)


class TestTransparency:
    @pytest.mark.parametrize(
        ("mode", "kind", "options"),
        [
            ("RGBA", "PNG", {}),
            ("LA", "PNG", {}),
            ("P", "PNG", {"transparency": 3}),
            ("RGB", "PNG", {"transparency": (0, 0, 0)}),
            ("L", "PNG", {"transparency": 7}),
            ("RGBA", "WEBP", {"lossless": True, "exact": True}),
        ],
    )
    def test_it_is_in_front_of_white(
        self, mode: str, kind: str, options: dict[str, object]
    ) -> None:
        buffer = io.BytesIO()
        transparent(mode).save(buffer, kind, **options)
        expected = as_a_person_sees(buffer.getvalue()).astype(int)
        found = decode(tf.constant(buffer.getvalue())).numpy()
        assert np.abs(found - expected).max() <= 1

    def test_it_is_the_same_in_bands_and_behind_a_long_profile(self) -> None:
        rgba = np.dstack([noise(500, 300), noise(500, 300, seed=1)[..., 0]])
        buffer = io.BytesIO()
        profile = np.random.default_rng(0).bytes(400_000)  # cannot be compressed
        Image.fromarray(rgba).quantize(200).save(
            buffer, "PNG", transparency=3, icc_profile=profile
        )
        expected = as_a_person_sees(buffer.getvalue()).astype(int)
        found = decode(tf.constant(buffer.getvalue())).numpy()
        assert np.abs(found - expected).max() <= 1

    def test_a_blue_that_nobody_sees_is_white(self) -> None:
        content = encode(Image.new("RGBA", (4, 4), (0, 0, 255, 0)), "PNG")
        assert (decode(tf.constant(content)).numpy() == 255).all()


@pytest.mark.parametrize("bits", [2, 4])
def test_few_greys_are_spread_over_all(bits: int) -> None:
    grey = Image.fromarray(noise(20, 30)[..., 0]).quantize(2**bits)
    buffer = io.BytesIO()
    grey.save(buffer, "PNG", bits=bits)
    content = buffer.getvalue()
    assert (decode(tf.constant(content)).numpy() == as_pillow_sees(content)).all()


def test_sixteen_bits_keep_the_upper_eight() -> None:
    deep = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    content = encode(Image.fromarray(deep), "PNG")
    found = decode(tf.constant(content)).numpy()[..., 0]
    assert (found == deep >> 8).all()
    assert np.abs(found - deep / 257).max() <= 1


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(noise(20, 30, seed=seed)) for seed in range(3)]
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


def test_an_animated_gif_is_its_first_frame() -> None:
    content = animated("GIF")
    found = decode(tf.constant(content)).numpy()
    assert (found == as_pillow_sees(content)).all()


FRAMES_IN_FRESH_PROCESS = """
import resource, sys
import tensorflow as tf
from pipelines.data.images.decode import decode
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shape = decode(tf.io.read_file(sys.argv[1])).shape
print(*shape, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_gif_of_many_frames_costs_one(
    tmp_path: Path, fresh_process: Callable[..., subprocess.CompletedProcess]
) -> None:
    """Read as TensorFlow reads it, this one takes 600 MB."""
    frames = [Image.new("L", (2000, 2000), 255 * (i % 2)) for i in range(60)]
    path = tmp_path / "many.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert path.stat().st_size < 300_000
    ended = fresh_process(FRAMES_IN_FRESH_PROCESS, str(path))
    *shape, more_kb = map(int, ended.stdout.split())
    assert shape == [2000, 2000, 3]
    assert more_kb < 150_000


@pytest.mark.parametrize("local_colours", [False, True])
def test_a_large_gif_is_cut_behind_its_first_frame(local_colours: bool) -> None:
    """Whose bytes look like the start of a frame here and there, by chance."""
    first, second = (Image.fromarray(noise(400, 500, seed=seed)) for seed in range(2))
    frames = [first.quantize(256)]
    frames.append(second.quantize(palette=None if local_colours else frames[0]))
    for several in (frames[:1], frames):
        buffer = io.BytesIO()
        several[0].save(buffer, "GIF", save_all=True, append_images=several[1:])
        content = buffer.getvalue()
        found = decode(tf.constant(content)).numpy()
        assert (found == as_pillow_sees(content)).all()


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
def test_what_would_be_read_wrongly_is_refused_and_named(
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


def test_a_gif_with_transparency_is_refused() -> None:
    buffer = io.BytesIO()
    transparent("P").save(buffer, "GIF", transparency=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a GIF with transparency"):
        decode(tf.constant(buffer.getvalue()))
    opaque = encode(transparent("RGB").convert("P"), "GIF")
    assert decode(tf.constant(opaque)).shape == (20, 30, 3)


def test_as_many_pixels_as_allowed_are_read() -> None:
    for kind in FORMATS:
        content = encode(Image.fromarray(noise(20, 30)), kind)
        pixels = decode(tf.constant(content), maximum_megapixels=0.0006)
        assert pixels.shape == (20, 30, 3)
        larger = tf.constant(encode(Image.fromarray(noise(20, 31)), kind))
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than 0.0006"):
            decode(larger, maximum_megapixels=0.0006)


def test_a_bmp_from_the_top_is_the_right_way_up() -> None:
    content = bytearray(encode(Image.fromarray(noise(20, 30)), "BMP"))
    content[22:26] = (-20).to_bytes(4, "little", signed=True)
    found = decode(tf.constant(bytes(content))).numpy()
    assert (found == as_pillow_sees(bytes(content))).all()


def photo(width: int, height: int, *, orientation: int = 1) -> bytes:
    """A photograph as a camera stores it."""
    image = Image.fromarray(load_sample_image("china.jpg"))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    large = image.resize((width, height), Image.Resampling.BICUBIC)
    large.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


class TestLargePhotos:
    """Decoded at a fraction of their size where that is enough."""

    @pytest.mark.parametrize(
        ("short_px", "ratio"),
        [(255, 1), (256, 2), (511, 2), (512, 4), (1023, 4), (1024, 8), (2049, 8)],
    )
    def test_the_fraction_leaves_twice_what_is_wanted(
        self, short_px: int, ratio: int
    ) -> None:
        content = photo(short_px + 100, short_px)
        pixels = decode(tf.constant(content), wanted_px=64).numpy()
        assert pixels.shape[:2] == (
            -(-short_px // ratio),
            -(-(short_px + 100) // ratio),
        )
        image = Image.open(io.BytesIO(content))
        image.draft("RGB", ((short_px + 100) // ratio, short_px // ratio))
        difference = np.abs(pixels.astype(int) - np.asarray(image))
        assert difference.max() <= 1

    def test_resized_it_hardly_differs_from_the_whole(self) -> None:
        content = tf.constant(photo(1600, 1200))
        found = decode_and_resize(content, 150).numpy().astype(int)
        whole = resize(decode(content), 150).numpy().astype(int)
        difference = np.abs(found - whole)
        assert 0 < difference.max() <= 16
        assert difference.mean() < 1

    def test_it_is_turned(self) -> None:
        content = tf.constant(photo(1200, 900, orientation=6))
        found = decode(content, wanted_px=200).numpy()
        assert found.shape == (600, 450, 3)
        whole = resize(decode(content), 200).numpy().astype(int)
        assert np.abs(resize(found, 200).numpy() - whole).mean() < 1

    def test_in_a_graph_and_where_nothing_is_wanted(self) -> None:
        content = tf.constant(photo(1024, 768))
        in_graph = tf.function(
            lambda one: decode(one, wanted_px=96),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
        assert (
            (in_graph(content).numpy() == decode(content, wanted_px=96)).numpy().all()
        )
        assert decode(content).shape == (768, 1024, 3)

    def test_damage_is_an_error_all_the_same(self) -> None:
        content = photo(1024, 768)
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(tf.constant(content[: len(content) // 2]), wanted_px=64)


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("held", range(1, 9))
def test_our_exif_says_what_pillow_says(kind: str, held: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = held
    buffer = io.BytesIO()
    Image.fromarray(noise(10, 20)).save(buffer, kind, exif=exif)
    image = Image.open(io.BytesIO(buffer.getvalue()))
    assert orientation_of(buffer.getvalue()) == held
    expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    found = np.asarray(upright(image, buffer.getvalue()).convert("RGB"))
    assert (found == expected).all()


def test_exif_that_begins_again_and_again_costs_nothing() -> None:
    """With the square of its bytes, in some versions of Pillow."""
    plain = encode(Image.fromarray(noise(40, 40)), "PNG")
    content = plain[:33] + chunk(b"eXIf", b"Exif\0\0" * 130_000) + plain[33:]
    inspect_image(plain, suffix=".png", maximum_megapixels=50)
    orientation_of(plain[:33] + chunk(b"eXIf", b"MM") + plain[33:])
    started = time.process_time()
    inspection = inspect_image(content, suffix=".png", maximum_megapixels=50)
    assert not inspection.bad
    assert time.process_time() - started < 1
