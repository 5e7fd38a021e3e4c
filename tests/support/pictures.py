"""Small pictures, encoded and as others decode them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps


def noise(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    """Pixels uint8 `[height, width, 3]` without any order."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Smooth noise, which no two seeds share."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_pillow_sees(content: bytes) -> np.ndarray:
    """The pixels that Pillow decodes."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def as_a_person_sees(content: bytes) -> np.ndarray:
    """Pillow's pixels, upright and on white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def animated(kind: str) -> bytes:
    """Three frames of noise."""
    frames = [Image.fromarray(noise(20, 30, seed=seed)) for seed in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    return encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def transparent(mode: str) -> Image.Image:
    """A picture with an alpha channel of noise, in this mode."""
    rgba = np.dstack([noise(20, 30), noise(20, 30, seed=1)[..., 0]])
    return Image.fromarray(rgba).convert(mode)
