"""Reads every example once before training: finds what is bad, hashes what is good."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipelines.data.look_through import OnProgress, look_through
from pipelines.data.splits import ImageArray, ImageFiles, Inputs, Series, Texts
from pipelines.errors import DataError

_SHOWN = 10


def content_hashes(
    inputs: Inputs, *, on_progress: OnProgress | None = None
) -> list[str]:
    """The sha256 of each example; files are also decoded as training will decode them.

    Files that `zoo check` or an earlier run has seen, and that have not changed since,
    are not read again. `on_progress(done, total)` is called from this thread.

    Raises:
        DataError: naming up to ten bad files with reasons, and how many there are.
    """
    match inputs:
        case ImageFiles():
            return _check_files(inputs, on_progress)
        case ImageArray(pixels):
            return [_hash_array(image) for image in pixels]
        case Texts(texts):
            return [hashlib.sha256(text).hexdigest() for text in texts]
        case Series(values):
            return [_hash_array(one) for one in values]


def _hash_array(array: np.ndarray) -> str:
    # With the shape: 2x8 and 4x4 images may hold the same bytes.
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def _check_files(files: ImageFiles, on_progress: OnProgress | None) -> list[str]:
    hashes: list[str] = []
    bad: list[str] = []
    looks = look_through(
        files.paths,
        maximum_megapixels=files.maximum_megapixels,
        on_progress=on_progress,
    )
    for path, look in zip(files.paths, looks, strict=True):
        hashes.append(look.content)
        if look.bad:
            bad.append(f"{path}: {look.bad}")
    if bad:
        raise DataError(_refusal(bad, total=len(files)))
    return hashes


def _refusal(bad: Sequence[str], *, total: int) -> str:
    lines = "".join(f"\n  {line}" for line in bad[:_SHOWN])
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return (
        f"{len(bad)} of {total} image files cannot be used; mend or remove them:"
        f"{lines}{more}\n`zoo check --fix DIR` makes a copy of a folder without them."
    )
