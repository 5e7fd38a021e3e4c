"""The splits of a new class, dealt as those of the run were."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipelines.data.grouping import count_groups, deal, group_ids
from pipelines.data.one_class import read_class
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.data.splits import Inputs, Series, Split
from pipelines.display.text import PLURALS
from pipelines.errors import DataError


def require_taken(
    inputs: Inputs,
    reference: object,
    *,
    modality: str,
    shape: Sequence[int | None] = (),
) -> None:
    """Checks that a network of this modality takes the examples of a reference.

    `shape` is the one of its input, `(steps, channels)` of series. Images and texts of
    any size are taken.

    Raises:
        DataError: saying what it takes.
    """
    if inputs.modality != modality:
        raise DataError(
            f"{reference} holds {PLURALS[inputs.modality]}, but the run was trained"
            f" on {PLURALS[modality]}."
        )
    if isinstance(inputs, Series):
        steps, channels = inputs.values.shape[1:]
        if any(a not in (None, b) for a, b in zip(shape, (steps, channels))):
            raise DataError(
                f"{reference} holds series of {steps} steps and {channels} channels,"
                f" but the run was trained on {shape[0]} steps and {shape[1]} channels."
                " Record or cut the new series as those of the run."
            )


def splits_of_class(
    data: str,
    name: str,
    *,
    run_data: DatasetRef,
    modality: str,
    shape: Sequence[int | None] = (),
) -> dict[str, Split]:
    """Train, validation and test of the new class, no content or group in two.

    With fewer than three independent examples all of them train, and calibration and
    test know only the other classes.

    Raises:
        DataError: if the data are of another modality or shape, have no class of this
            name, or have examples that cannot be used.
    """
    ref = DatasetRef.parse(data)
    examples, hashes = read_class(ref, name)
    require_taken(examples.inputs, ref, modality=modality, shape=shape)
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
        weights=examples.weights,
    )
    return {
        split_name: _named(whole.take(np.flatnonzero(split_of == i)), split_name)
        for i, split_name in enumerate(SPLIT_NAMES)
    }


def _named(split: Split, name: str) -> Split:
    return dataclasses.replace(split, name=name)
