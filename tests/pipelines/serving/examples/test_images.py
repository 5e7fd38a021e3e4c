"""Images of any kind become encoded bytes that lose nothing, or are refused."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.errors import DataError
from pipelines.serving.examples import images as example_images
from pipelines.serving.examples.inputs import InputSpec, as_inputs

IMAGE = InputSpec("image_bytes", "string")
TEXT = InputSpec("text", "string")
SERIES = InputSpec("series", "float32", (6, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


def decoded(content: bytes) -> np.ndarray:
    return tf.io.decode_image(content).numpy()


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels, mode).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1), (7, 5, 3), (7, 5, 4), (1, 1, 3)])
def test_array_of_bytes_is_image_without_loss(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    (content,) = as_inputs([pixels], IMAGE)
    found = decoded(content)
    np.testing.assert_array_equal(found.reshape(shape), pixels)


def test_image_may_come_in_many_ways(tmp_path):
    content = png(PIXELS)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    written = io.BytesIO()
    written.write(content)  # and not wound back
    with path.open("rb") as opened:
        ways = [content, bytearray(content), memoryview(content), path, str(path)]
        made = as_inputs([*ways, opened, written], IMAGE)
        assert made == [content] * 7
    tensor = tf.constant(PIXELS)
    for way in (PIXELS, tensor, Image.fromarray(PIXELS), PIXELS[::-1][::-1]):
        np.testing.assert_array_equal(decoded(as_inputs([way], IMAGE)[0]), PIXELS)


def test_pillow_image_is_turned_and_keeps_colours():
    upright = Image.fromarray(PIXELS)
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
    turned = Image.open(io.BytesIO(stream.getvalue()))
    np.testing.assert_array_equal(decoded(as_inputs([turned], IMAGE)[0]), PIXELS)
    grey = Image.fromarray(PIXELS[..., 0])
    clear = upright.convert("P")
    clear.info["transparency"] = 0
    modes = {
        "L": (grey, 1),
        "1": (grey.convert("1"), 3),
        "P": (upright.convert("P"), 3),
        "P with a clear colour": (clear, 4),
        "LA": (grey.convert("LA"), 4),
        "RGBA": (upright.convert("RGBA"), 4),
        "CMYK": (upright.convert("CMYK"), 3),
    }
    for image, channels in modes.values():
        assert decoded(as_inputs([image], IMAGE)[0]).shape == (7, 5, channels)
    deep = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    found = tf.io.decode_png(as_inputs([deep], IMAGE)[0], dtype=tf.uint16).numpy()
    np.testing.assert_array_equal(found[..., 0], PIXELS[..., 0].astype(int) * 257)
    for mode in ("F", "I"):
        with pytest.raises(DataError, match="not from 0 to 255"):
            as_inputs([grey.convert(mode)], IMAGE)
    cut = Image.open(io.BytesIO(png(PIXELS)[:-40]))
    with pytest.raises(DataError, match="cannot be read"):
        as_inputs([cut], IMAGE)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (PIXELS / np.float32(255), "np.round(255.0 * x).astype(np.uint8)"),
        (PIXELS.astype(np.float64), "np.round(x).astype(np.uint8)"),
        (PIXELS.astype(np.int64), "np.round(x).astype(np.uint8)"),
        (PIXELS > 9, "np.round(255.0 * x).astype(np.uint8)"),
    ],
)
def test_other_numbers_are_refused_with_working_advice(array, advice):
    batch = np.stack([array])
    for ask in (
        lambda: as_inputs([array], IMAGE),
        lambda: example_images.pixels(batch, (None, 7, 5, 3)),
    ):
        with pytest.raises(DataError) as refused:
            ask()
        assert f"uint8 from 0 to 255; {array.dtype.name} came" in str(refused.value)
        assert advice in str(refused.value)
    followed = eval(advice, {"np": np, "x": array})
    wanted = 255 * array if array.dtype == bool else PIXELS
    np.testing.assert_array_equal(followed, wanted)
    as_inputs([followed], IMAGE)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PIXELS.astype(np.int64) + 256, "from 256 to 5"),
        (PIXELS.astype(np.float32) - 128, "as the training images were"),
        (PIXELS.astype(complex), "complex128 came"),
        (np.zeros((7, 5, 2), np.uint8), r"shape \[7, 5, 2\]"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \[0, 5, 3\]"),
        (np.zeros((2, 7, 5, 3), np.uint8), r"shape \[2, 7, 5, 3\]"),
    ],
)
def test_array_of_other_shape_is_refused(array, message):
    with pytest.raises(DataError, match=message):
        as_inputs([array], IMAGE)


def test_pixels_of_other_shape_are_refused():
    wanted = (None, 7, 5, 3)
    example_images.pixels(np.zeros((0, 7, 5, 3), np.uint8), wanted)
    for shape in ((7, 5, 3), (1, 5, 7, 3), (1, 7, 5)):
        with pytest.raises(DataError, match=r"Pixels have shape \[None, 7, 5, 3\]"):
            example_images.pixels(np.zeros(shape, np.uint8), wanted)
