"""Decoding equals Pillow, and resizing is the same for one image and for many."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images import decode, resize

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
