"""The splits of a new class, dealt as those of the run were."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.grouping import count_groups, deal, group_ids
from pipelines.data.one_class import read_class
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.data.splits import Split
from pipelines.display.text import PLURALS
from pipelines.errors import DataError


def splits_of_class(
    data: str, name: str, *, run_data: DatasetRef, modality: str
) -> dict[str, Split]:
    """Train, validation and test of the new class, no content or group in two.

    With fewer than three independent examples all of them train, and calibration and
    test know only the other classes.

    Raises:
        DataError: if the data are of another modality, have no class of this name, or
            have examples that cannot be used.
    """
    ref = DatasetRef.parse(data)
    examples, hashes = read_class(ref, name)
    if examples.inputs.modality != modality:
        raise DataError(
            f"{ref} holds {PLURALS[examples.inputs.modality]}, but the run was trained"
            f" on {PLURALS[modality]}. Name data of the same kind with --data."
        )
    groups = group_ids(examples, hashes.codes())
    held_out = [run_data.validation, run_data.test]
    split_of = np.zeros(len(examples), np.int64)
    if count_groups(examples.labels, groups, 1)[0] >= len(SPLIT_NAMES):
        split_of = deal(examples.labels, groups, held_out=held_out, seed=run_data.seed)
    whole = Split(
        "train",
        examples.inputs,
        examples.labels,
        groups,
        names=Strings.of(examples.names),
    )
    return {
        split_name: _named(whole.take(np.flatnonzero(split_of == i)), split_name)
        for i, split_name in enumerate(SPLIT_NAMES)
    }


def _named(split: Split, name: str) -> Split:
    return dataclasses.replace(split, name=name)
