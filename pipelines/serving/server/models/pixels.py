"""The pixels of all images of a request, counted before any is decoded.

Each image has a limit in the graph. A file of 200 KB may be just below it, so without
this a request would cost what a hundred of the largest do.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.models.signature import EXAMPLES, Arrays

IMAGES = "image_bytes"
# As many of the largest may come at once: some seconds of a core.
MOST_LARGEST = 10
# A file chooses the number of its parts, so looking for its size has an end.
_MOST_PARTS = 1024
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # tables of JPEG, between the markers of frames
_START_OF_SCAN = 0xDA


def refuse_too_many(inputs: Arrays, maximum_megapixels: float) -> None:
    """Raises `ServingError` if the images together have too many pixels.

    An image of more than `maximum_megapixels` counts nothing: it is refused in the
    graph, on its own.
    """
    strings = inputs.get(IMAGES, inputs.get(EXAMPLES))
    if strings is None or strings.dtype != object or strings.size <= MOST_LARGEST:
        return
    images = strings.flat if IMAGES in inputs else _of_examples(strings.flat)
    largest = round(maximum_megapixels * 1e6)
    counts = (pixels_of(image, otherwise=largest) for image in images)
    count = sum(pixels for pixels in counts if pixels <= largest)
    if count > MOST_LARGEST * largest:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"The images of the request have {count / 1e6:.0f} million pixels, and all"
            f" together may have {MOST_LARGEST * maximum_megapixels:g}; send fewer at"
            " once, or smaller ones.",
            http_status=413,
        )


def _of_examples(serialized: Iterable[bytes]) -> Iterable[bytes]:
    for example in serialized:
        try:
            features = tf.train.Example.FromString(example).features.feature
        except DecodeError:  # the graph says so of this one
            continue
        if IMAGES in features:
            yield from features[IMAGES].bytes_list.value


def pixels_of(encoded: bytes, *, otherwise: int) -> int:
    """Width times height by the header; 0 for what the graph does not decode.

    `otherwise` is for a file with too many parts before its size.
    """
    for beginning, read in _READERS.items():
        if isinstance(encoded, bytes) and encoded.startswith(beginning):
            try:
                size = read(encoded)
            except (struct.error, IndexError, ValueError):  # cut short
                return 0
            return abs(size[0] * size[1]) if size else otherwise
    return 0


def _png(encoded: bytes) -> tuple[int, int]:
    return struct.unpack_from(">II", encoded, 16)


def _bmp(encoded: bytes) -> tuple[int, int]:
    return struct.unpack_from("<ii", encoded, 18)


def _webp(encoded: bytes) -> tuple[int, int]:
    form = encoded[12:16]
    if form == b"VP8X":
        width, height = (int.from_bytes(encoded[i : i + 3], "little") for i in (24, 27))
        return 1 + width, 1 + height
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", encoded, 21)
        return 1 + bits % 2**14, 1 + bits // 2**14 % 2**14
    width, height = struct.unpack_from("<HH", encoded, 26)
    return width % 2**14, height % 2**14


def _gif(encoded: bytes) -> tuple[int, int] | None:
    """The larger of the screen and the first frame."""
    screen: tuple[int, int] = struct.unpack_from("<HH", encoded, 6)
    at = 13 + _palette_bytes(encoded[10])
    for _ in range(_MOST_PARTS):
        if encoded[at] == ord(","):
            frame: tuple[int, int] = struct.unpack_from("<HH", encoded, at + 5)
            return max(screen, frame, key=np.prod)
        # An extension: its sub-blocks each say how long they are.
        at = at + 2 if encoded[at] == ord("!") else at
        at += encoded[at] + 1
    return None


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _jpeg(encoded: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(_MOST_PARTS):
        at = encoded.index(b"\xff", at)
        while encoded[at] == 0xFF:  # any number of these may fill
            at += 1
        marker = encoded[at]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            height, width = struct.unpack_from(">HH", encoded, at + 4)
            return width, height
        if marker == _START_OF_SCAN:
            return 0, 0
        at += 1 + struct.unpack_from(">H", encoded, at + 1)[0]
    return None


_READERS: dict[bytes, Callable[[bytes], tuple[int, int] | None]] = {
    b"\xff\xd8": _jpeg,
    b"\x89PNG": _png,
    b"GIF8": _gif,
    b"RIFF": _webp,
    b"BM": _bmp,
}
