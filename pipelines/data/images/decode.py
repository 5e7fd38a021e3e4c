"""From encoded images to pixels, with the very ops that serving uses.

Resizing ends in rounded uint8, so that training, evaluation and serving feed a model
identical numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection

import tensorflow as tf

from pipelines.data.images.decode_plans import (
    READERS,
    Limits,
    numbers_of,
    plan_of,
    sentence_of,
)
from pipelines.data.images.file_types import KINDS
from pipelines.data.reference import MAXIMUM_MEGAPIXELS

Reader = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# The number of parts in which an image is composed with white: the floats of a whole
# image could fill the memory.
_BANDS = 16
_ALIGNED = 16
# By an orientation of Exif less 1: the axes to reverse; from 5 on it is transposed too.
_REVERSED_ROWS = (False, False, True, True, False, False, True, True)
_REVERSED_COLUMNS = (False, True, True, False, False, True, True, False)


def decode(
    image_bytes: tf.Tensor,
    *,
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS,
    wanted_px: int | None = None,
    kinds: Collection[str] = KINDS,
) -> tf.Tensor:
    """The pixels of one encoded JPEG, PNG, GIF, BMP or WebP, uint8 `[h, w, 3]`.

    As a person sees them: turned as the camera says (JPEG), on white where they are
    transparent, grey expanded, 16 bits cut to the upper 8, and the first frame of an
    animated GIF. Images that TensorFlow reads wrongly are refused.

    With `wanted_px`, a JPEG of at least four times that size is decoded at 1/2, 1/4 or
    1/8 of its size, which takes a fraction of the time: both sides stay at least twice
    as long.

    Where all images are of some `kinds`, a graph for these is traced in a fraction of
    the time, and decodes the same.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are damaged, are not an image, have
            more than `maximum_megapixels`, are of none of the `kinds`, or are a BMP
            with a palette, a GIF with transparency, or an animated WebP.
    """
    limits = Limits(maximum_megapixels, wanted_px)
    plan = plan_of(image_bytes, limits, kinds)
    numbers, every = numbers_of(kinds, limits), readers()
    branches = [
        functools.partial(every[number], plan.encoded, plan.orientation)
        for number in numbers
    ]
    places = [numbers.index(i) if i in numbers else 0 for i in range(len(every))]
    is_allowed = tf.debugging.Assert(
        plan.refusal == 0, [sentence_of(plan.refusal, limits)]
    )
    with tf.control_dependencies([is_allowed]):
        return tf.switch_case(tf.gather(tf.constant(places), plan.reader), branches)


def readers() -> list[Reader]:
    """For each of `READERS`, a function from bytes and orientation to pixels.

    None has a branch or a loop: TensorFlow keeps the functions of branches and loops in
    a data set of a served graph for ever, and without them a call costs little.
    """
    return [functools.partial(_read, *reader) for reader in READERS]


def _read(
    name: str,
    ratio: int,
    is_turned: bool,
    encoded: tf.Tensor,
    orientation: tf.Tensor,
) -> tf.Tensor:
    match name:
        case "JPEG":
            pixels = _jpeg_pixels(encoded, ratio=ratio)
        case "BMP":
            pixels = tf.io.decode_bmp(encoded, channels=0)[..., :3]
        # Never WebP with channels=0: TensorFlow 2.21 then writes beyond its memory
        # where the image is animated, and the process dies.
        case "on white":
            pixels = _on_white(_of_any_kind(encoded, channels=4))
        case _:
            pixels = _of_any_kind(encoded, channels=3)
    if is_turned:
        pixels = _turned(pixels, orientation)
    return tf.ensure_shape(pixels, [None, None, 3])


def _jpeg_pixels(encoded: tf.Tensor, *, ratio: int) -> tf.Tensor:
    # The default method is off by up to 3 levels; this one is equal to Pillow.
    return tf.io.decode_jpeg(
        encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
    )


def _of_any_kind(encoded: tf.Tensor, *, channels: int) -> tf.Tensor:
    return tf.io.decode_image(encoded, channels=channels, expand_animations=False)


def _turned(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Upright, from one of the eight orientations of Exif."""
    axes = tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2])
    # `tf.reverse` asks how many axes there are when it is traced.
    return tf.raw_ops.Reverse(
        tensor=tf.transpose(pixels, axes),
        dims=tf.stack(
            [
                tf.gather(tf.constant(_REVERSED_ROWS), orientation - 1),
                tf.gather(tf.constant(_REVERSED_COLUMNS), orientation - 1),
                tf.constant(False),
            ]
        ),
    )


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """RGBA pixels uint8 `[h, w, 4]` in front of white, as most viewers show them."""
    height = tf.shape(pixels)[0]
    # A multiple of the rows at which a slice of a tensor needs no copy.
    rows = (height // (_BANDS * _ALIGNED) + 1) * _ALIGNED
    starts = tf.minimum(rows * tf.range(_BANDS + 1), height)
    numbers = tf.constant(255.0), tf.constant(255.5), tf.constant([3, 1])
    bands: list[tf.Tensor] = []
    for band in tf.split(pixels, starts[1:] - starts[:-1], num=_BANDS):
        # One after the other, so that the floats of one band exist at a time.
        with tf.control_dependencies(bands[-1:]):
            bands.append(_composed(band, *numbers))
    return tf.concat(bands, axis=0)


def _composed(
    pixels: tf.Tensor, white: tf.Tensor, rounding: tf.Tensor, channels: tf.Tensor
) -> tf.Tensor:
    """Colours of RGBA uint8 in front of white, rounded."""
    x = tf.cast(pixels, tf.float32)
    colours, alpha = tf.split(x, channels, axis=-1, num=2)
    # Never half way between two numbers, so that truncation rounds.
    return tf.cast(rounding - (white - colours) * (alpha / white), tf.uint8)


def resize(pixels: tf.Tensor, size_px: int) -> tf.Tensor:
    """An image or a batch stretched to a square, uint8 `[..., size_px, size_px, 3]`.

    Bilinear with antialias: bit for bit what `tf.image.resize` gives, rounded.
    """
    pixels = tf.convert_to_tensor(pixels)
    if pixels.shape.rank == 3:
        return tf.squeeze(resize(tf.expand_dims(pixels, 0), size_px), 0)
    upright = _resize_rows(_resize_rows(pixels, size_px), size_px)
    # Weights add up to 1, so nothing but rounding can leave 0..255.
    return tf.cast(tf.round(upright), tf.uint8)


def _resize_rows(pixels: tf.Tensor, size_px: int) -> tf.Tensor:
    """Images `[n, h, w, 3]` with `size_px` rows, turned: `[n, w, size_px, 3]`.

    A row is handed over as one pixel of many channels, because the op is quick along
    channels only: both directions in one call take a third longer.
    """
    count, height, width, _ = tf.unstack(tf.shape(pixels))
    # Static sizes, where known, so that the result has them too.
    count, width = pixels.shape[0] or count, pixels.shape[2] or width
    rows = tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(pixels, [count, height, 1, width * 3]),
        size=[size_px, 1],
        scale=tf.stack([size_px / tf.cast(height, tf.float32), 1.0]),
        translation=[0.0, 0.0],
        kernel_type="triangle",
        antialias=True,
    )
    return tf.transpose(tf.reshape(rows, [count, size_px, width, 3]), [0, 2, 1, 3])


def decode_and_resize(
    image_bytes: tf.Tensor,
    size_px: int,
    *,
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS,
    kinds: Collection[str] = KINDS,
) -> tf.Tensor:
    """One encoded image as uint8 `[size_px, size_px, 3]`; see `decode`."""
    pixels = decode(
        image_bytes,
        maximum_megapixels=maximum_megapixels,
        wanted_px=size_px,
        kinds=kinds,
    )
    return resize(pixels, size_px)
