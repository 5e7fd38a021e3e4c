"""Decoding equals Pillow, and resizing is the same for one image and for many."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from pipelines.data.checks import content_hashes
from pipelines.data.images import decode, decode_and_resize, resize
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
from pipelines.data.images import decode
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
