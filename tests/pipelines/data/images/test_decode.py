"""Decoding equals Pillow, and resizing is the same for one image and for many."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

from pipelines.data.images.decode import decode, decode_and_resize, resize
from pipelines.data.images.file_types import KINDS
from tests.support.pictures import (
    as_a_person_sees,
    as_pillow_sees,
    encode,
    noise,
    transparent,
)

FORMATS = ["JPEG", "PNG", "GIF", "BMP", "WEBP"]


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


@pytest.mark.parametrize("kind", KINDS)
def test_graph_of_one_kind_reads_it_alike(kind: str) -> None:
    of_kind = tf.function(functools.partial(decode, kinds=(kind,)), autograph=False)
    pictures = [Image.fromarray(noise(37, 53))]
    if kind in ("PNG", "WebP"):
        pictures.append(transparent("RGBA"))
    for picture in pictures:
        content = tf.constant(encode(picture, kind.upper()))
        assert (of_kind(content).numpy() == decode(content).numpy()).all()


@pytest.mark.parametrize(
    ("kind", "other"), zip(KINDS, (*KINDS[1:], KINDS[0])), ids=KINDS
)
def test_graph_of_one_kind_refuses_others(kind: str, other: str) -> None:
    content = encode(Image.fromarray(noise(9, 9)), other.upper())
    for encoded, why in ((content, "of another kind"), (b"no image", "Unknown image")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=why):
            decode(tf.constant(encoded), kinds=[kind])


def test_turned_jpeg_is_read_alike_by_its_kind() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(noise(400, 300)).save(buffer, "JPEG", exif=exif)
    content = tf.constant(buffer.getvalue())
    of_kind = decode(content, wanted_px=30, kinds=["JPEG"]).numpy()
    assert of_kind.shape == (75, 100, 3)
    assert (of_kind == decode(content, wanted_px=30).numpy()).all()


def test_damaged_bytes_are_an_error_in_graphs(
    decode_in_graph: tf.types.experimental.PolymorphicFunction,
) -> None:
    content = encode(Image.fromarray(noise(40, 30)), "JPEG")
    assert decode_in_graph(content).shape == (40, 30, 3)
    for bad in (content[:200], b"", b"no image"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG|Input|Unknown"):
            decode_in_graph(bad)


def test_resize_is_equal_for_one_and_many() -> None:
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

    def test_large_transparent_images_are_composed_in_bands(self) -> None:
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


def test_bmp_from_the_top_is_upright() -> None:
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

    def test_large_photo_is_turned(self) -> None:
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
