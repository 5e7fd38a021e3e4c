"""From encoded images to pixels, with the very ops that serving uses.

Resizing ends in rounded uint8, so that training, evaluation and serving feed a model
identical numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from pipelines.data import image_headers
from pipelines.data.image_headers import Head
from pipelines.data.limits import MAXIMUM_MEGAPIXELS

# Begins the reason of what is refused by us and not by TensorFlow.
REFUSAL = "refused: "
# What is composed at once: in floats, of which a whole image could fill the memory.
_BAND_PIXELS = 2**16
# What JPEG can be decoded at a fraction of, and how many times larger than wanted both
# sides stay then, so that the filter of resizing still decides how the image looks.
_JPEG_RATIOS = (1, 2, 4, 8)
_GAP = 2


def decode(
    image_bytes: tf.Tensor,
    *,
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS,
    wanted_px: int | None = None,
) -> tf.Tensor:
    """The pixels of one encoded JPEG, PNG, GIF, BMP or WebP, uint8 `[h, w, 3]`.

    As a person sees them: turned as the camera says (JPEG), on white where they are
    transparent, grey expanded, 16 bits cut to the upper 8, and of an animated GIF
    the first frame. What TensorFlow reads wrongly is refused.

    Where it is to be resized to `wanted_px`, a JPEG of at least four times that is
    decoded at 1/2, 1/4 or 1/8 of its size, which takes a fraction of the time: both
    sides remain at least twice what is wanted.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are damaged, are not an image, have
            more than `maximum_megapixels`, or are a BMP with a palette, a GIF with
            transparency, or an animated WebP.
    """
    first = tf.strings.substr(image_bytes, 0, 4)
    decoders: list[tuple[tf.Tensor, Callable[..., tf.Tensor]]] = [
        (
            tf.equal(tf.strings.substr(first, 0, 3), b"\xff\xd8\xff"),
            functools.partial(_jpeg, wanted_px=wanted_px),
        ),
        (tf.equal(first, b"\x89PNG"), _png),
        (tf.equal(first, b"GIF8"), _gif),
        (tf.equal(first, b"RIFF"), _webp),
        (tf.equal(tf.strings.substr(first, 0, 2), b"BM"), _bmp),
    ]
    pixels = tf.case(
        [
            (is_kind, functools.partial(decoder, image_bytes, maximum_megapixels))
            for is_kind, decoder in decoders
        ],
        # Says which kinds it knows, or that there is nothing.
        default=lambda: tf.io.decode_image(
            image_bytes, channels=3, expand_animations=False
        ),
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def _jpeg(
    encoded: tf.Tensor, maximum_megapixels: float, *, wanted_px: int | None
) -> tf.Tensor:
    height, width, _ = tf.unstack(
        tf.cast(tf.image.extract_jpeg_shape(encoded), tf.int64)
    )
    facts = image_headers.jpeg(encoded)
    checks = [
        _refuse_too_large(height * width, maximum_megapixels),
        _refuse_too_many(facts.has_too_many_parts, "JPEG", "segments"),
        _require(
            ~facts.has_too_many_scans,
            f"a JPEG of more than {image_headers.MOST_SCANS} scans, each of which costs"
            " as much as a picture; save it as an ordinary JPEG",
        ),
    ]
    with tf.control_dependencies(checks):
        if wanted_px is None:
            pixels = _jpeg_pixels(encoded, ratio=1)
        else:
            spare = tf.minimum(height, width) // (wanted_px * _GAP)
            pixels = tf.switch_case(
                tf.reduce_sum(tf.cast(spare >= _JPEG_RATIOS[1:], tf.int32)),
                [
                    functools.partial(_jpeg_pixels, encoded, ratio=ratio)
                    for ratio in _JPEG_RATIOS
                ],
            )
    return tf.cond(
        facts.orientation == 1,
        lambda: pixels,
        lambda: _turned(pixels, facts.orientation),
    )


def _jpeg_pixels(encoded: tf.Tensor, *, ratio: int) -> tf.Tensor:
    # The default method is off by up to 3 levels; this one is equal to Pillow.
    return tf.io.decode_jpeg(
        encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
    )


def _turned(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Upright, from one of the eight orientations of Exif."""

    def is_in(*orientations: int) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(orientations))

    x = tf.cond(
        orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels
    )
    x = tf.cond(is_in(2, 3, 6, 7), lambda: tf.reverse(x, [1]), lambda: x)
    return tf.cond(is_in(3, 4, 7, 8), lambda: tf.reverse(x, [0]), lambda: x)


def _png(encoded: tf.Tensor, maximum_megapixels: float) -> tf.Tensor:
    head, facts = Head(encoded), image_headers.png(encoded)
    has_alpha = facts.has_alpha
    is_coarse = image_headers.png_is_grey(head) & (image_headers.png_bits(head) < 8)
    checks = [
        _refuse_too_large(image_headers.png_pixels(head), maximum_megapixels),
        _refuse_too_many(facts.has_too_many_parts, "PNG", "chunks"),
        _require(
            ~facts.has_too_many_texts,
            f"a PNG of more than {image_headers.MOST_TEXTS} texts, which may take any"
            " amount of memory; save it without them",
        ),
        _require(
            ~(has_alpha & is_coarse),
            "a PNG of fewer than 256 greys with transparency, which TensorFlow reads"
            " wrongly; save it with an alpha channel",
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.cond(
            has_alpha,
            lambda: _on_white(tf.io.decode_png(encoded, channels=4)),
            lambda: tf.io.decode_png(encoded, channels=3),
        )


def _gif(encoded: tf.Tensor, maximum_megapixels: float) -> tf.Tensor:
    head, facts = Head(encoded), image_headers.gif(encoded)
    pixels = tf.maximum(image_headers.gif_pixels(head), facts.pixels)
    checks = [
        _refuse_too_large(pixels, maximum_megapixels),
        _refuse_too_many(facts.has_too_many_parts, "GIF", "blocks"),
        _require(
            ~facts.is_transparent,
            "a GIF with transparency, which TensorFlow shows as black; save it as PNG",
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.io.decode_image(facts.encoded, channels=3, expand_animations=False)


def _webp(encoded: tf.Tensor, maximum_megapixels: float) -> tf.Tensor:
    head = Head(encoded)
    checks = [
        _refuse_too_large(image_headers.webp_pixels(head), maximum_megapixels),
        _require(
            ~image_headers.webp_is_animated(head),
            "an animated WebP, which TensorFlow cannot read; save one frame of it",
        ),
    ]
    with tf.control_dependencies(checks):
        # Never with channels=0: TensorFlow 2.21 then writes beyond its memory where the
        # image is animated, and the process dies.
        return tf.cond(
            image_headers.webp_has_alpha(head),
            lambda: _on_white(tf.io.decode_webp(encoded, channels=4)[0]),
            lambda: tf.io.decode_webp(encoded, channels=3)[0],
        )


def _bmp(encoded: tf.Tensor, maximum_megapixels: float) -> tf.Tensor:
    head = Head(encoded)
    bits, compression = head.u16(28, little=True), head.u32(30, little=True)
    checks = [
        _refuse_too_large(image_headers.bmp_pixels(head), maximum_megapixels),
        _require(
            (compression == 0) & ((bits == 24) | (bits == 32)),
            "a BMP with a palette, masks or compression, which TensorFlow reads"
            " wrongly; save it as PNG",
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.io.decode_bmp(encoded, channels=0)[..., :3]


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """RGBA pixels uint8 `[h, w, 4]` in front of white, as most viewers show them."""
    height, width, _ = tf.unstack(tf.shape(pixels))
    rows = tf.maximum(_BAND_PIXELS // width, 1)
    count = (height + rows - 1) // rows

    def compose(
        i: tf.Tensor, bands: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray]:
        band = pixels[i * rows : (i + 1) * rows]
        return i + 1, bands.write(i, _composed(band))

    bands = tf.TensorArray(
        tf.uint8, count, element_shape=[None, None, 3], infer_shape=False
    )
    # One after the other: the floats of several would be there at once.
    _, bands = tf.while_loop(
        lambda i, _: i < count, compose, (0, bands), parallel_iterations=1
    )
    return bands.concat()


def _composed(pixels: tf.Tensor) -> tf.Tensor:
    colours, alpha = pixels[..., :3], pixels[..., 3:]

    def composed() -> tf.Tensor:
        share = tf.cast(alpha, tf.float32) / 255.0
        x = tf.cast(colours, tf.float32) * share + 255.0 * (1.0 - share)
        return tf.cast(tf.round(x), tf.uint8)

    return tf.cond(tf.reduce_all(alpha == 255), lambda: colours, composed)


def _refuse_too_large(pixels: tf.Tensor, maximum_megapixels: float) -> tf.Operation:
    return _require(
        (pixels > 0) & (pixels <= round(maximum_megapixels * 1e6)),
        f"an image of more than {maximum_megapixels:g} million pixels, or of none",
    )


def _refuse_too_many(has_too_many: tf.Tensor, kind: str, parts: str) -> tf.Operation:
    return _require(
        ~has_too_many,
        f"a {kind} of more than {image_headers.MOST_PARTS} {parts} before its picture,"
        " which takes any amount of time; save it anew",
    )


def _require(condition: tf.Tensor, otherwise: str) -> tf.Operation:
    return tf.debugging.Assert(condition, [f"{REFUSAL}{otherwise}"])


def resize(pixels: tf.Tensor, size_px: int) -> tf.Tensor:
    """An image or a batch stretched to a square, uint8 `[..., size_px, size_px, 3]`.

    Bilinear with antialias: bit for bit what `tf.image.resize` gives, rounded.
    """
    pixels = tf.convert_to_tensor(pixels)
    if pixels.shape.rank == 3:
        return resize(pixels[tf.newaxis], size_px)[0]
    upright = _resize_rows(_resize_rows(pixels, size_px), size_px)
    # Weights add up to 1, so nothing but rounding can leave 0..255.
    return tf.cast(tf.round(upright), tf.uint8)


def _resize_rows(pixels: tf.Tensor, size_px: int) -> tf.Tensor:
    """Images `[n, h, w, 3]` with `size_px` rows, turned: `[n, w, size_px, 3]`.

    A row is handed over as one pixel of many channels, because the op is quick along
    channels only: both directions in one call take a third longer.
    """
    count, height, width, _ = tf.unstack(tf.shape(pixels))
    rows = tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(pixels, [count, height, 1, width * 3]),
        size=[size_px, 1],
        scale=tf.stack([size_px / tf.cast(height, tf.float32), 1.0]),
        translation=[0.0, 0.0],
        kernel_type="triangle",
        antialias=True,
    )
    shaped = tf.reshape(rows, [count, size_px, width, 3])
    return tf.transpose(shaped, [0, 2, 1, 3])


def decode_and_resize(
    image_bytes: tf.Tensor,
    size_px: int,
    *,
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS,
) -> tf.Tensor:
    """One encoded image as uint8 `[size_px, size_px, 3]`."""
    pixels = decode(
        image_bytes, maximum_megapixels=maximum_megapixels, wanted_px=size_px
    )
    return resize(pixels, size_px)
