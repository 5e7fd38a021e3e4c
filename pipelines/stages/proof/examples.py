"""Examples as a client sends them, and as training reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.input.batches import batches
from pipelines.data.splits import (
    ImageArray,
    ImageFiles,
    ImageRecords,
    Series,
    Sounds,
    Split,
    Texts,
)
from pipelines.serving import warm_up
from pipelines.training.transfer_model import TransferModel

_NOT_AN_IMAGE = b"not an image"
_NOT_A_TEXT = b"\xff\xfe not UTF-8"


def as_in_training(model: TransferModel, split: Split) -> np.ndarray:
    """All of a split as the model takes it."""
    size = model.backbone.input_size_px
    (whole,) = batches(split, input_size_px=size, batch_size=len(split))
    return whole[0].numpy()


def names_of(split: Split) -> list[str]:
    """The names of the examples, for a report."""
    match split.inputs:
        case ImageFiles() | ImageRecords() | Sounds() as files:
            return [files.where(i) for i in range(len(files))]
    return [f"example {i} of the {split.name} split" for i in range(len(split))]


def bad_example(split: Split) -> np.ndarray:
    """A bad example, as a client sends it."""
    match split.inputs:
        case Texts():
            return _objects([_NOT_A_TEXT])
        case Series(values):
            return np.full_like(values[:1], np.nan)
    return _objects([_NOT_AN_IMAGE])


def as_sent(split: Split) -> np.ndarray:
    """All of a split, as a client sends them; strings as an array of objects."""
    match split.inputs:
        case ImageFiles() | ImageRecords() as images:
            return _objects([encoded_bytes(images, i) for i in range(len(images))])
        case ImageArray() as images:  # as PNG, which loses nothing
            return _objects([tf.io.encode_png(image).numpy() for image in images])
        case Texts(values) | Sounds(values):
            return _objects(list(values))
        case Series(values):
            return values


def as_serialized(name: str, raw: np.ndarray) -> np.ndarray:
    """The same as serialized examples, for `classify`."""
    return _objects([warm_up.example_of(name, row) for row in raw])


def _objects(items: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array
