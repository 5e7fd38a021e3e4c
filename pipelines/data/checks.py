"""Reads every example once before training: finds what is bad, hashes what is good."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.data.image_bytes import record_bytes
from pipelines.data.images import REFUSAL, decode
from pipelines.data.splits import (
    EncodedImages,
    ImageArray,
    ImageFiles,
    ImageRecords,
    Inputs,
    Series,
    Texts,
)
from pipelines.data.strings import Packer, Strings
from pipelines.errors import DataError

OnProgress = Callable[[int, int], None]

_SHOWN = 10
# Files handed to the threads at a time: enough to keep them busy, and a folder of
# millions does not become millions of waiting jobs.
_WINDOW = 1024
_FIRST_BYTES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
}


def content_hashes(inputs: Inputs, *, on_progress: OnProgress | None = None) -> Strings:
    """The sha256 of each example; encoded images are also decoded, as in training.

    `on_progress(done, total)` is called from this thread.

    Raises:
        DataError: naming up to ten bad files with reasons, and how many there are.
    """
    match inputs:
        case ImageFiles() | ImageRecords():
            return _check_encoded(inputs, on_progress)
        case ImageArray(pixels):
            return Strings.of(_hash_array(image) for image in pixels)
        case Texts(texts):
            return Strings.of(hashlib.sha256(text).hexdigest() for text in texts)
        case Series(values):
            return Strings.of(_hash_array(one) for one in values)


def _hash_array(array: np.ndarray) -> str:
    # With the shape: 2x8 and 4x4 images may hold the same bytes.
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def _check_encoded(images: EncodedImages, on_progress: OnProgress | None) -> Strings:
    hashes = Packer()
    bad: list[str] = []
    check = functools.partial(_check_one, images)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        for start in range(0, len(images), _WINDOW):
            window = range(start, min(start + _WINDOW, len(images)))
            for i, (content_hash, reason) in zip(window, threads.map(check, window)):
                hashes.add(content_hash)
                if reason:
                    bad.append(f"{images.where(i)}: {reason}")
                if on_progress is not None:
                    on_progress(i + 1, len(images))
    if bad:
        what = "image files" if isinstance(images, ImageFiles) else "images"
        raise DataError(_refusal(bad, total=f"{len(images)} {what}"))
    return hashes.packed()


def read_encoded(images: EncodedImages, i: int) -> tuple[bytes, str]:
    """The bytes of an image, and the reason why it has none or an empty string."""
    if isinstance(images, ImageFiles):
        return read_file(images.paths[i])
    content = record_bytes(images, i)
    return content, "" if content else "empty image"


def read_file(path: str) -> tuple[bytes, str]:
    """The content of a file, and the reason why it has none or an empty string."""
    if stat.S_ISFIFO(_mode(path)):
        return b"", "a pipe, not a file"  # reading it would wait for a writer
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return b"", f"cannot be read ({_system_reason(path, error)})"
    return content, "" if content else "empty file"


def _check_one(images: EncodedImages, i: int) -> tuple[str, str]:
    """The content hash of an image, and the reason why it is bad or an empty string."""
    content, reason = read_encoded(images, i)
    if reason:
        return "", reason
    try:
        decode(tf.constant(content))
    except tf.errors.OpError as error:
        return "", decode_reason(content, error)
    return hashlib.sha256(content).hexdigest(), ""


def _mode(path: str) -> int:
    try:
        return Path(path).stat().st_mode
    except OSError:
        return 0  # reading it says why


def _system_reason(path: str, error: OSError) -> str:
    if Path(path).is_symlink() and not Path(path).exists():
        return "a link to nothing"
    return (error.strerror or str(error)).lower()


def decode_reason(content: bytes, error: tf.errors.OpError) -> str:
    """Why TensorFlow, or we, did not decode an image."""
    if REFUSAL in error.message:
        return re.split(r"['\]\n]", error.message.partition(REFUSAL)[2])[0]
    if kind := kind_of(content):
        detail = error.message.split("}} ")[-1].split(" [Op:")[0]
        return f"damaged or cut-short {kind} ({detail})"
    return f"not a JPEG, PNG, GIF, BMP or WebP image (starts with {content[:8]!r})"


def kind_of(content: bytes) -> str:
    """JPEG, PNG, GIF, BMP or WebP by the first bytes, or an empty string."""
    kinds = (kind for first, kind in _FIRST_BYTES.items() if content.startswith(first))
    return next(kinds, "")


def _refusal(bad: Sequence[str], *, total: str) -> str:
    lines = "".join(f"\n  {line}" for line in bad[:_SHOWN])
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return f"{len(bad)} of {total} cannot be used; mend or remove them:{lines}{more}"
