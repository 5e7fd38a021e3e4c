"""Small pictures of images, as a person sees them, for pages."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from pipelines.data.images import exif
from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.splits import ImageArray, ImageFiles, ImageRecords, Inputs
from pipelines.errors import DataError


def thumbnail(inputs: Inputs, i: int, *, size_px: int) -> Image.Image | None:
    """Example `i` in RGB, upright, on white and at most `size_px` a side.

    None for texts and series, and for an image that cannot be read or has more
    megapixels than its data allow.
    """
    if isinstance(inputs, ImageArray):
        return _small(Image.fromarray(np.asarray(inputs[i])), size_px)
    if not isinstance(inputs, ImageFiles | ImageRecords):
        return None
    try:
        content = encoded_bytes(inputs, i)
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > inputs.maximum_megapixels * 1e6:
                return None
            image.draft("RGB", (2 * size_px, 2 * size_px))
            return _small(exif.upright(image, content), size_px)
    # Pages show broken files too, and each kind fails in its own way.
    except (
        *(DataError, OSError, ValueError, SyntaxError),
        Image.DecompressionBombError,
    ):
        return None


def as_jpeg(image: Image.Image, *, quality: int) -> bytes:
    """The picture as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def as_text(image: Image.Image, *, quality: int) -> str:
    """The picture as JPEG in base64, for the address of an image on a page."""
    return base64.b64encode(as_jpeg(image, quality=quality)).decode("ascii")


def _small(image: Image.Image, size_px: int) -> Image.Image:
    above = image.convert("RGBA")
    above.thumbnail((size_px, size_px))
    white = Image.new("RGBA", above.size, "white")
    return Image.alpha_composite(white, above).convert("RGB")
