"""Reads every example once before training: finds what is bad, hashes what is good."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipelines.data.look_through import OnProgress, look_through_images
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

_SHOWN = 10


def content_hashes(inputs: Inputs, *, on_progress: OnProgress | None = None) -> Strings:
    """The sha256 of each example; encoded images are also decoded, as in training.

    Files that `zoo check` or an earlier run has seen, and that have not changed since,
    are not read again. `on_progress(done, total)` is called from this thread.

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
    # With the shape: the same bytes in another shape are another example.
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def _check_encoded(images: EncodedImages, on_progress: OnProgress | None) -> Strings:
    hashes = Packer()
    bad: list[str] = []
    for i, look in enumerate(look_through_images(images, on_progress=on_progress)):
        hashes.add(look.content)
        if look.bad:
            bad.append(f"{images.where(i)}: {look.bad}")
    if bad:
        what = "image files" if isinstance(images, ImageFiles) else "images"
        raise DataError(_refusal(bad, total=f"{len(images)} {what}"))
    return hashes.packed()


def _refusal(bad: Sequence[str], *, total: str) -> str:
    lines = "".join(f"\n  {line}" for line in bad[:_SHOWN])
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return (
        f"{len(bad)} of {total} cannot be used; mend or remove them:"
        f"{lines}{more}\n`zoo check --fix DIR` makes a copy of a folder without them."
    )
