"""Examples without labels that a teacher answers for a student."""

from __future__ import annotations

import numpy as np

from pipelines.data.domains.target import source_of
from pipelines.data.domains.unlabelled import read_unlabelled
from pipelines.data.joined import joined_inputs
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Inputs, Splits
from pipelines.display.text import PLURALS
from pipelines.errors import DataError


def read_pool(reference: str, splits: Splits) -> Inputs:
    """The inputs that are not in training already.

    Raises:
        DataError: if some are in validation or test, all are in training, or they are
            not of the kind and form of the data.
    """
    source = source_of(splits)
    ref = DatasetRef.parse(reference)
    examples, hashes = read_unlabelled(ref, class_name="unlabelled")
    modality = examples.inputs.modality
    if modality != source.modality:
        raise DataError(
            f"{reference} holds {PLURALS[modality]}, but the data have"
            f" {PLURALS[source.modality]}. Name unlabelled examples of the same kind in"
            " config.distil.unlabelled."
        )
    shared = sum(content in source.held_out for content in hashes)
    if shared:
        raise DataError(
            f"{shared} examples of {reference} are in validation or test of the data,"
            " which must train nothing. Take them out of config.distil.unlabelled."
        )
    new = [i for i, content in enumerate(hashes) if content not in source.contents]
    if not new:
        raise DataError(
            f"Every example of {reference} is in training already, so that there is"
            " nothing more to learn from. Name others in config.distil.unlabelled, or"
            " leave it out."
        )
    return examples.inputs.take(np.array(new))


def with_pool(train: Inputs, pool: Inputs) -> Inputs:
    """The inputs of training, and then those of the pool.

    Raises:
        DataError: if they come in another form, or in another shape.
    """
    if type(train) is type(pool):
        try:
            return joined_inputs(train, pool)
        except ValueError as error:
            cause = str(error)
    else:
        cause = "one is of files or records, the other held in memory"
    raise DataError(
        f"The examples of config.distil.unlabelled cannot follow those of the data:"
        f" {cause} Give both in the same form, such as dir: for both."
    )
