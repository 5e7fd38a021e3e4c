"""Examples without labels that training may learn from, checked against the splits."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.domains.target import FEWEST, Source, require_taken, split_of
from pipelines.data.domains.unlabelled import read_unlabelled
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split
from pipelines.errors import DataError

_NO_CLASS = "unlabelled"


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Examples whose labels are not used, and how many more were in training too."""

    split: Split
    known: int


def read_pool(
    reference: str, source: Source, *, field: str, fewest: int = FEWEST
) -> Pool:
    """The examples of a reference that the splits of a run do not have.

    `field` is the one that names the reference.

    Raises:
        DataError: if some are in validation or test, if they are of another modality or
            length, or fewer than `fewest` that are not in training.
    """
    examples, hashes = read_unlabelled(
        DatasetRef.parse(reference), class_name=_NO_CLASS
    )
    require_taken(examples, reference, source)
    held_out = sum(content in source.held_out for content in hashes)
    if held_out:
        raise DataError(
            f"{held_out} examples of {reference} are in validation or test of the run:"
            " with them, its measures would be of examples that it learned from. Take"
            f" them out of {field}."
        )
    new = np.array([content not in source.contents for content in hashes])
    if new.sum() < fewest:
        raise DataError(
            f"{reference} holds {new.sum()} examples that are not in the data of the"
            f" run, and {fewest} at least can teach something. Name more in {field};"
            " they need no labels."
        )
    rows = np.flatnonzero(new)
    split = split_of(examples.take(rows), hashes.take(rows), _NO_CLASS)
    return Pool(split, int(len(examples) - len(rows)))
