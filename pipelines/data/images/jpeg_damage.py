"""Damage inside a JPEG that TensorFlow decodes without an error.

Flipped bits in the compressed picture leave every marker in its place: TensorFlow gives
a picture that is wrong from there on, and a line on stderr. What libjpeg says there is
an error with a reason here.
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg

# A picture of at least this many pixels a side is decoded instead of the whole one: the
# entropy coded data, where damage shows, are read in full all the same.
_REDUCED_PX = 64
# Warnings of libjpeg about the picture. Others, such as an unknown version, are about
# the header.
_DAMAGE = (
    "extraneous bytes before marker",
    "premature end of",
    "bad Huffman code",
    "instead of RST",
    "progression sequence",
)
# Segments of applications, and comments.
_NOTES = {bytes([marker]) for marker in (*range(0xE0, 0xF0), 0xFE)}
_START_OF_SCAN = b"\xda"


def read(content: bytes) -> tuple[np.ndarray | None, str]:
    """A reduced picture, grey uint8 `[h, w]`, and the damage or an empty string.

    The picture is None where there is damage, and for a JPEG in CMYK, which is not
    turned into grey.
    """
    picture, warning = _decode(content)
    if warning and not _is_damage(warning):
        # libjpeg gives one warning: one about the header hides those of the picture.
        _, warning = _decode(_without_notes(content))
    return picture, _reason(warning) if _is_damage(warning) else ""


def _decode(content: bytes) -> tuple[np.ndarray | None, str]:
    try:
        *_, colours, _ = simplejpeg.decode_jpeg_header(content, strict=False)
        is_cmyk = colours in ("CMYK", "YCCK")
        picture = simplejpeg.decode_jpeg(
            content,
            "CMYK" if is_cmyk else "GRAY",
            fastdct=True,
            fastupsample=True,
            min_height=_REDUCED_PX,
            min_width=_REDUCED_PX,
            strict=True,
        )
    except ValueError as error:
        return None, str(error)
    return (None if is_cmyk else picture[..., 0]), ""


def _without_notes(content: bytes) -> bytes:
    """The same JPEG without the notes of programs before the picture."""
    kept, position = [content[:2]], 2
    while content[position : position + 1] == b"\xff":
        marker = content[position + 1 : position + 2]
        if marker == _START_OF_SCAN or not marker:
            break
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        end = position + 2 + max(length, 2)
        if marker not in _NOTES:
            kept.append(content[position:end])
        position = end
    return b"".join(kept) + content[position:]


def _is_damage(warning: str) -> bool:
    return any(sign in warning for sign in _DAMAGE)


def _reason(warning: str) -> str:
    """The same words for the same damage, whatever its bytes."""
    damage = warning.rpartition("Corrupt JPEG data: ")[2]
    return re.sub(r"^\d+ | 0x[0-9a-f]+", "", damage)
