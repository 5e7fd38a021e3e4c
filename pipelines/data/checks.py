"""Reads every example once before training: finds what is bad, hashes what is good."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.data.images import REFUSAL, decode
from pipelines.data.splits import ImageArray, ImageFiles, Inputs, Series, Texts
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


def content_hashes(
    inputs: Inputs, *, on_progress: OnProgress | None = None
) -> list[str]:
    """The sha256 of each example; files are also decoded as training will decode them.

    `on_progress(done, total)` is called from this thread.

    Raises:
        DataError: naming up to ten bad files with reasons, and how many there are.
    """
    hashes, bad = hashes_and_reasons(inputs, on_progress=on_progress)
    if bad:
        raise DataError(f"{refusal(inputs, bad)}\n{_HOW_TO_SKIP}")
    return hashes


_HOW_TO_SKIP = "Or leave them out, up to 1 % of all: add on_bad=skip to the reference."


def hashes_and_reasons(
    inputs: Inputs, *, on_progress: OnProgress | None = None
) -> tuple[list[str], dict[int, str]]:
    """The sha256 of each example, and why those at some indices cannot be used."""
    match inputs:
        case ImageFiles(paths):
            return _check_files(paths, on_progress)
        case ImageArray(pixels):
            return [_hash_array(image) for image in pixels], {}
        case Texts(texts):
            return [hashlib.sha256(text).hexdigest() for text in texts], {}
        case Series(values):
            return [_hash_array(one) for one in values], {}


def _hash_array(array: np.ndarray) -> str:
    # With the shape: 2x8 and 4x4 images may hold the same bytes.
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def _check_files(
    paths: Sequence[str], on_progress: OnProgress | None
) -> tuple[list[str], dict[int, str]]:
    hashes: list[str] = []
    bad: dict[int, str] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        for start in range(0, len(paths), _WINDOW):
            window = paths[start : start + _WINDOW]
            checked = zip(window, threads.map(_check_file, window))
            for _, (content_hash, reason) in checked:
                if reason:
                    bad[len(hashes)] = reason
                hashes.append(content_hash)
                if on_progress is not None:
                    on_progress(len(hashes), len(paths))
    return hashes, bad


def read_file(path: str) -> tuple[bytes, str]:
    """The content of a file, and the reason why it has none or an empty string."""
    if stat.S_ISFIFO(_mode(path)):
        return b"", "a pipe, not a file"  # reading it would wait for a writer
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return b"", f"cannot be read ({_system_reason(path, error)})"
    return content, "" if content else "empty file"


def _check_file(path: str) -> tuple[str, str]:
    """The content hash of a file, and the reason why it is bad or an empty string."""
    content, reason = read_file(path)
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
    for first_bytes, kind in _FIRST_BYTES.items():
        if content.startswith(first_bytes):
            detail = error.message.split("}} ")[-1].split(" [Op:")[0]
            return f"damaged or cut-short {kind} ({detail})"
    return f"not a JPEG, PNG, GIF, BMP or WebP image (starts with {content[:8]!r})"


def refusal(inputs: Inputs, bad: Mapping[int, str]) -> str:
    """A message that names up to ten files with their reasons."""
    names = inputs.paths if isinstance(inputs, ImageFiles) else range(len(inputs))
    shown = list(bad.items())[:_SHOWN]
    lines = "".join(f"\n  {names[i]}: {reason}" for i, reason in shown)
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return (
        f"{len(bad)} of {len(inputs)} image files cannot be used; mend or remove them:"
        f"{lines}{more}"
    )
