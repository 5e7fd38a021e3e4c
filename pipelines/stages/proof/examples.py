"""Examples as a client sends them, and as training reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.data.images.encoded import sent_bytes
from pipelines.data.input.batches import batches
from pipelines.data.splits import (
    ImageFiles,
    ImageRecords,
    Series,
    Sounds,
    Split,
    Table,
    Texts,
)
from pipelines.data.tables import rows
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


# By the names of the inputs of a signature; strings are arrays of objects.
Sent = Mapping[str, np.ndarray]


def bad_example(split: Split, name: str) -> Sent:
    """A bad example, as a client sends it in the input of this name."""
    if isinstance(split.inputs, Table):
        missing = np.full_like(split.inputs.values[:1], np.nan)
        return rows.as_sent(Table(split.inputs.columns, missing))
    return {name: _bad(split)}


def _bad(split: Split) -> np.ndarray:
    match split.inputs:
        case Texts():
            return _objects([_NOT_A_TEXT])
        case Series(values):
            return np.full_like(values[:1], np.nan)
    return _objects([_NOT_AN_IMAGE])


def as_sent(split: Split, name: str) -> Sent:
    """All of a split, as a client sends them in the input of this name.

    A table has an input for each column.
    """
    if isinstance(split.inputs, Table):
        return rows.as_sent(split.inputs)
    return {name: _encoded(split)}


def _encoded(split: Split) -> np.ndarray:
    if isinstance(split.inputs, Series):
        return split.inputs.values
    return _objects([sent_bytes(split.inputs, i) for i in range(len(split))])


def behind(parts: Sequence[Sent]) -> Sent:
    """The rows of several parts, one part behind the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def as_serialized(sent: Sent) -> np.ndarray:
    """The same as serialized examples, for `classify`."""
    return _objects(warm_up.examples_of(sent))


def _objects(items: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array
