"""Images of any kind that a caller passes, as encoded bytes or as a batch of pixels.

Imports Pillow only where an image of it comes.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import DataError
from pipelines.serving.examples.values import is_pillow, plain, shape_text, type_name

_SHOWN = 80
# Channels of an array, and how PNG numbers them.
_PNG_KINDS = {1: 0, 3: 2, 4: 6}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Modes of Pillow that an array of bytes holds as they are, and those of 16 bits.
_PLAIN_MODES = ("L", "RGB", "RGBA")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_DEEP_MODES = ("I", "F")


def image_bytes(image: Any) -> bytes:
    """Encoded bytes of an image: bytes, a path, an open file, of Pillow, or an array.

    Raises:
        DataError: if it is something else, or cannot be read.
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (str, os.PathLike)):
        return _content(image)
    if isinstance(image, io.BytesIO):
        return image.getvalue()  # also where somebody has just written it
    if is_pillow(image):
        return _of_pillow(image)
    if hasattr(image, "read"):
        return _read(image)
    array = plain(image)
    if isinstance(array, np.ndarray) and array.dtype != object:
        return _encoded(array)
    raise DataError(
        f"A {type_name(image)} came where an image is expected: encoded bytes, a path,"
        " a Pillow image, or an array of uint8 [height, width, 3]."
    )


def _content(path: str | os.PathLike) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"{str(path)[:_SHOWN]!r} cannot be read as a file: {reason}. An image is"
            " given as a path on this machine, or as its encoded bytes."
        ) from error


def _read(file: Any) -> bytes:
    try:
        content = file.read()
    except (OSError, ValueError) as error:
        raise DataError(f"A file that came cannot be read: {error}.") from error
    if not isinstance(content, bytes):
        raise DataError(
            f"Reading a {type_name(file)} gave {type_name(content)} and not bytes; open"
            " the file with mode 'rb'."
        )
    return content


def _of_pillow(image: Any) -> bytes:
    from PIL import ImageOps

    if image.mode in _DEEP_MODES:
        raise DataError(
            f"A Pillow image of mode {image.mode!r} came, whose numbers are not from 0"
            " to 255; scale them, and convert it to 'L' or 'RGB'."
        )
    try:
        # As it is seen: files say in their Exif which side is up.
        seen = ImageOps.exif_transpose(image)
        if seen.mode in _SIXTEEN_BITS:
            stream = io.BytesIO()
            seen.save(stream, "PNG")
            return stream.getvalue()
        if seen.mode not in _PLAIN_MODES:
            has_alpha = "transparency" in seen.info or seen.mode in ("LA", "La", "PA")
            has_alpha |= seen.mode == "RGBa"
            seen = seen.convert("RGBA" if has_alpha else "RGB")
        elif "transparency" in seen.info:  # one colour that is clear
            seen = seen.convert("RGBA")
        return _png(np.asarray(seen))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"A Pillow image that came cannot be read: {error}.") from error


def _encoded(array: np.ndarray) -> bytes:
    if array.dtype != np.uint8:
        raise DataError(_not_bytes("An image as an array", array))
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in _PNG_KINDS or not array.size:
        raise DataError(
            f"An array of shape {shape_text(array.shape)} came where an image is"
            " expected: [height, width, channels] with 1, 3 or 4 channels, or [height,"
            " width]."
        )
    return _png(array)


def _not_bytes(subject: str, array: np.ndarray) -> str:
    """A sentence on numbers that are not uint8, and on what to do with them."""
    came = f"{subject} must be uint8 from 0 to 255; {array.dtype.name} came"
    if not array.size or array.dtype.kind not in "fiub":
        return f"{came}."
    least, most = array.min(), array.max()
    came += f", from {least:.6g} to {most:.6g}." if array.dtype.kind != "b" else "."
    if array.dtype.kind in "fb" and least >= 0 and most <= 1:
        return f"{came} If 1 is white: np.round(255.0 * x).astype(np.uint8)."
    if least >= 0 and most <= 255:
        return f"{came} If 255 is white: np.round(x).astype(np.uint8)."
    return (
        f"{came} Bring them to 0 to 255 as the training images were, then:"
        " .astype(np.uint8)."
    )


def _png(array: np.ndarray) -> bytes:
    """Pixels as a PNG, which loses none of them."""
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # 0: no filter
    rows[:, 1:] = array.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _PNG_KINDS[channels], 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 1)
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    )


def pixels(inputs: Any, shape: Sequence[int | None]) -> np.ndarray:
    """A batch of pixels, uint8 `[batch, height, width, 3]`, as a network takes them.

    Raises:
        DataError: if it is of another type or shape.
    """
    array = np.asarray(plain(inputs))
    if array.dtype != np.uint8:
        raise DataError(_not_bytes("Pixels", array))
    if array.ndim != len(shape) or any(
        allowed not in (None, size) for allowed, size in zip(shape, array.shape)
    ):
        raise DataError(
            f"Pixels have shape {shape_text(shape)}, where None is any number of"
            f" images; {shape_text(array.shape)} came. `predict` takes images of any"
            " size."
        )
    return array
