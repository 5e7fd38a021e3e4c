"""From encoded images to pixels, with the very ops that serving uses.

Resizing ends in rounded uint8, so that training, evaluation and serving feed a model
identical numbers.
"""

from __future__ import annotations

import tensorflow as tf


def decode(image_bytes: tf.Tensor) -> tf.Tensor:
    """The pixels of one encoded JPEG, PNG, GIF, BMP or WebP, uint8 `[h, w, 3]`.

    Grey is expanded, alpha is dropped, an animation gives its first frame.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are damaged or not an image.
    """
    is_jpeg = tf.equal(tf.strings.substr(image_bytes, 0, 3), b"\xff\xd8\xff")
    pixels = tf.cond(
        is_jpeg,
        # The default method is off by up to 3 levels; this one is equal to Pillow.
        lambda: tf.io.decode_jpeg(
            image_bytes, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        lambda: tf.io.decode_image(image_bytes, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def resize(pixels: tf.Tensor, size_px: int) -> tf.Tensor:
    """An image or a batch stretched to a square, uint8 `[..., size_px, size_px, 3]`."""
    resized = tf.image.resize(
        tf.cast(pixels, tf.float32),
        [size_px, size_px],
        method="bilinear",
        antialias=True,
    )
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def decode_and_resize(image_bytes: tf.Tensor, size_px: int) -> tf.Tensor:
    """One encoded image as uint8 `[size_px, size_px, 3]`."""
    return resize(decode(image_bytes), size_px)
