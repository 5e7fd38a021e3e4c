"""Our reader of Exif agrees with Pillow, and takes no longer for hostile bytes."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.data.checks.inspect_image import inspect_image
from pipelines.data.images.exif import orientation as orientation_of
from pipelines.data.images.exif import upright
from tests.support.pictures import (
    chunk,
    encode,
    noise,
)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("held", range(1, 9))
def test_our_exif_says_what_pillow_says(kind: str, held: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = held
    buffer = io.BytesIO()
    Image.fromarray(noise(10, 20)).save(buffer, kind, exif=exif)
    image = Image.open(io.BytesIO(buffer.getvalue()))
    assert orientation_of(buffer.getvalue()) == held
    expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    found = np.asarray(upright(image, buffer.getvalue()).convert("RGB"))
    assert (found == expected).all()


def test_exif_that_begins_again_and_again_costs_nothing() -> None:
    """With the square of its bytes, in some versions of Pillow."""
    plain = encode(Image.fromarray(noise(40, 40)), "PNG")
    content = plain[:33] + chunk(b"eXIf", b"Exif\0\0" * 130_000) + plain[33:]
    inspect_image(plain, suffix=".png", maximum_megapixels=50)
    orientation_of(plain[:33] + chunk(b"eXIf", b"MM") + plain[33:])
    started = time.process_time()
    inspection = inspect_image(content, suffix=".png", maximum_megapixels=50)
    assert not inspection.bad
    assert time.process_time() - started < 1
