"""The inspection of one encoded image: the reason why it is bad, or its oddities."""

from __future__ import annotations

import functools
import hashlib
import io
import re
from collections.abc import Callable, Iterator

import imagehash
import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.data.checks.inspection import (
    NOT_OPENED,
    SMALL,
    WRONG_EXTENSION,
    Inspection,
)
from pipelines.data.images import exif, jpeg_damage
from pipelines.data.images.decode import decode
from pipelines.data.images.decode_plans import REFUSAL
from pipelines.data.images.file_types import (
    KINDS,
    cut_short,
    endings,
    is_deep,
    is_indexed,
    kind_of,
)

_SMALL_PX = 32
# Larger pictures are averaged down first: hashing them would take most of the time, and
# 9 by 8 pixels show no difference.
_HASHED_PX = 64


def inspect_image(
    content: bytes, *, suffix: str | None, maximum_megapixels: float
) -> Inspection:
    """Inspects an encoded image, decoded with the ops that training uses.

    `suffix` is the ending of the file's name, such as `.jpg`, and None for an image
    that is not a file.
    """
    if not content:
        return Inspection(bad="empty file", whole=False)
    kind = kind_of(content)
    try:
        pixels = _decoder(maximum_megapixels, kind if kind in KINDS else "")(
            tf.constant(content)
        )
    except tf.errors.OpError as error:
        reason, whole = _decode_reason(content, kind, error)
        return Inspection(bad=reason, kind=kind, whole=whole)
    grey: np.ndarray | None = None
    if kind == "JPEG":
        grey, damage = jpeg_damage.read(content)
        if damage:
            reason = f"damaged JPEG, which TensorFlow decodes all the same ({damage})"
            return Inspection(bad=reason, kind=kind, whole=False)
    height_px, width_px, _ = pixels.shape
    image, orientation = _opened(content), exif.orientation(content)
    return Inspection(
        kind=kind,
        content=hashlib.sha256(content).hexdigest(),
        appearance=_appearance(_small(pixels.numpy(), grey, orientation)),
        width_px=width_px,
        height_px=height_px,
        odd=tuple(
            _oddities(content, kind, suffix, image, (width_px, height_px), orientation)
        ),
        deepest=_deepest(content) if is_deep(content, kind) else 0,
    )


def _deepest(content: bytes) -> int:
    """The largest value of a PNG of 16 bits, which training decodes to 8."""
    return int(tf.io.decode_png(content, dtype=tf.uint16).numpy().max())


@functools.lru_cache(maxsize=4 * len(KINDS))
def _decoder(maximum_megapixels: float, kind: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The decoder as a graph: single ops take twice as long and hold Python's lock.

    One for each kind: that for all of them takes a second to trace.
    """
    kinds = [kind] if kind else []
    function = tf.function(
        lambda encoded: decode(
            encoded, maximum_megapixels=maximum_megapixels, kinds=kinds
        ),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )
    return function.get_concrete_function()


def _opened(content: bytes) -> Image.Image | None:
    """The image as Pillow opens it, before its pixels are read."""
    try:
        return Image.open(io.BytesIO(content))
    # TensorFlow has decoded it, so it is in order; Pillow raises many kinds of errors.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _small(
    pixels: np.ndarray, grey: np.ndarray | None, orientation: int
) -> Image.Image:
    """The picture, upright and not much larger than what is hashed."""
    if grey is None:
        step = max(1, min(pixels.shape[:2]) // _HASHED_PX)
        return Image.fromarray(pixels).reduce(step)
    # How the camera was held is in the file and not in these pixels.
    return exif.turned(Image.fromarray(grey), orientation)


def _appearance(image: Image.Image) -> int:
    bits = imagehash.dhash(image).hash.ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _oddities(
    content: bytes,
    kind: str,
    suffix: str | None,
    image: Image.Image | None,
    size_px: tuple[int, int],
    orientation: int,
) -> Iterator[str]:
    """The oddities of an image that can be trained on."""
    if suffix is not None and suffix.lower() not in endings(kind):
        yield f"{WRONG_EXTENSION}: a {kind} whose name ends in {suffix or 'nothing'}"
    if min(size_px) < _SMALL_PX:
        yield f"{SMALL} {_SMALL_PX} px"
    if is_deep(content, kind):
        yield "of 16 bits; the upper 8 are used"
    if is_indexed(content, kind):
        yield "with a palette of colours"
    if orientation != 1:
        is_turned = kind == "JPEG"
        yield (
            "turned by its Exif" if is_turned else f"Exif turns this {kind}; we do not"
        )
    if image is None:
        yield NOT_OPENED
        return
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        yield "transparent, shown on white"
    if image.mode == "CMYK":
        yield "in CMYK"
    # Not `n_frames`, which reads them all.
    if getattr(image, "is_animated", False) and kind != "JPEG":
        yield "animated; the first frame is used"


def _decode_reason(
    content: bytes, kind: str, error: tf.errors.OpError
) -> tuple[str, bool]:
    """The reason why an image was not decoded, and whether its file is in order."""
    if REFUSAL in error.message:
        return re.split(r"['\]\n]", error.message.partition(REFUSAL)[2])[0], True
    if kind in KINDS:
        detail = error.message.split("}} ")[-1].split(" [Op:")[0].split("\n")[0]
        state = "cut-short" if cut_short(content, kind) else "damaged"
        return f"{state} {kind} ({detail})", False
    allowed = ", ".join(KINDS)
    if kind:
        return f"unsupported: a {kind}; {allowed} are read", True
    return f"not an image of the kinds {allowed} (starts with {content[:8]!r})", False
