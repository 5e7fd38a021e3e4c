"""Examples whose labels do not matter, of any reference or a folder without classes."""

from __future__ import annotations

import dataclasses

from pipelines.data.load import read, usable
from pipelines.data.packed_strings import Strings
from pipelines.data.readers import folder
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples, ImageFiles
from pipelines.data.splitting import keep_some


def read_unlabelled(ref: DatasetRef, *, class_name: str) -> tuple[Examples, Strings]:
    """The usable examples, and the sha256 of each.

    Images of a folder without folders in it are of one class, `class_name`.

    Raises:
        DataError: if some cannot be used, or it holds no example.
    """
    if ref.scheme == "dir" and folder.holds_images(ref.location):
        examples = folder.read_flat(ref.location, class_name=class_name)
        if isinstance(examples.inputs, ImageFiles):
            limited = dataclasses.replace(
                examples.inputs, maximum_megapixels=ref.maximum_megapixels
            )
            examples = dataclasses.replace(examples, inputs=limited)
        return _usable(examples, ref)
    return read_all(ref)


def read_all(ref: DatasetRef) -> tuple[Examples, Strings]:
    """The usable examples of a reference with labels, and the sha256 of each.

    Raises:
        DataError: if some cannot be used, or it holds no example.
    """
    return _usable(read(ref), ref)


def _usable(examples: Examples, ref: DatasetRef) -> tuple[Examples, Strings]:
    return usable(keep_some(examples, limit=ref.limit, seed=ref.seed), ref, None)
