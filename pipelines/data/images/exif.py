"""The orientation of images, by our own reader of Exif and never by Pillow's.

Pillow reads all tags of any kind, in a time that has grown with the square of their
bytes. For a JPEG the decoding graph itself gives the orientation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf
from PIL import Image, ImageOps

from pipelines.data.images import jpeg_header
from pipelines.data.images.file_types import kind_of

_UPRIGHT = 1
# The most that a JPEG can hold.
_MAXIMUM_BYTES = 2**16
_PREFIX = b"Exif\0\0"
# Where the bytes of Exif stand: behind this name, or behind it and a length.
_PNG_CHUNK, _WEBP_CHUNK = b"eXIf", b"EXIF"
_READ = ("JPEG", "PNG", "WebP")
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(content: bytes) -> int:
    """The orientation of Exif, 1 to 8; 1, upright, for an image without one."""
    kind = kind_of(content)
    if kind == "JPEG":
        return int(_of_jpeg()(tf.constant(content)))
    if kind == "PNG":
        return _of_tags(content, _PNG_CHUNK, behind=0)
    if kind == "WebP":
        return _of_tags(content, _WEBP_CHUNK, behind=4)
    return _UPRIGHT


def upright(image: Image.Image, content: bytes) -> Image.Image:
    """An image that was opened from these bytes, as a person sees it."""
    if kind_of(content) not in _READ:
        return ImageOps.exif_transpose(image)  # as Pillow knows it of other kinds
    return turned(image, orientation(content))


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """An image of this orientation, turned upright."""
    return image.transpose(_TURN[orientation]) if orientation in _TURN else image


def _of_tags(content: bytes, chunk: bytes, *, behind: int) -> int:
    start = content.find(chunk)
    if start < 0:
        return _UPRIGHT
    start += len(chunk) + behind
    exif = content[start : start + _MAXIMUM_BYTES].removeprefix(_PREFIX)
    return int(_of_exif()(tf.constant(exif)))


@functools.cache
def _of_jpeg() -> Callable[[tf.Tensor], tf.Tensor]:
    return _graph_of(lambda encoded: jpeg_header.jpeg(encoded).orientation)


@functools.cache
def _of_exif() -> Callable[[tf.Tensor], tf.Tensor]:
    return _graph_of(jpeg_header.exif_orientation)


def _graph_of(
    function: Callable[[tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor], tf.Tensor]:
    spec = tf.TensorSpec([], tf.string)
    graph = tf.function(function, input_signature=[spec], autograph=False)
    return graph.get_concrete_function()
