"""The examples of one class, in data that need not have another."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.load import read_or_flat, usable
from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import normal, require_names
from pipelines.data.splits import Examples
from pipelines.errors import DataError

_SHOWN = 10


def read_class(ref: DatasetRef, name: str) -> tuple[Examples, Strings]:
    """The usable examples of a class, as class `name` alone, and their hashes.

    They are all examples of data with one class or, of several, those of the class
    `name`. A `dir:` may hold the images themselves, without a class folder.

    Raises:
        DataError: if the data have several classes and none of this name, or examples
            that cannot be used.
    """
    name = normal(name)
    require_names([name])
    examples = _of_class(read_or_flat(ref, class_name=name), name, ref)
    return usable(examples, ref, None)


def _of_class(examples: Examples, name: str, ref: DatasetRef) -> Examples:
    names = examples.class_names
    label = 0
    if len(names) > 1:
        if name not in names:
            raise DataError(
                f"{ref} has the classes {listing(map(repr, names), shown=_SHOWN)}, and"
                f" '{name}' is not among them. Name data that hold this class, or the"
                " images of one class alone."
            )
        label = names.index(name)
    chosen = examples.take(np.flatnonzero(examples.labels == label))
    return dataclasses.replace(
        chosen,
        labels=np.zeros(len(chosen), np.int64),
        class_names=(name,),
        # The splits of the run decide, not those of the new data.
        splits=None,
    )
