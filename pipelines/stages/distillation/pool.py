"""Examples without labels that a teacher answers for a student."""

from __future__ import annotations

from pipelines.data.domains import pool
from pipelines.data.domains.target import source_of
from pipelines.data.joined import joined_inputs
from pipelines.data.splits import Inputs, Splits
from pipelines.errors import DataError

_FIELD = "config.distil.unlabelled"


def read_pool(reference: str, splits: Splits) -> Inputs:
    """The inputs that are not in training already.

    Raises:
        DataError: if some are in validation or test, all are in training, or they are
            not of the kind and form of the data.
    """
    read = pool.read_pool(reference, source_of(splits), field=_FIELD, fewest=1)
    return read.split.inputs


def with_pool(train: Inputs, others: Inputs) -> Inputs:
    """The inputs of training, and then the others.

    Raises:
        DataError: if they come in another form, or in another shape.
    """
    if type(train) is type(others):
        try:
            return joined_inputs(train, others)
        except ValueError as error:
            cause = str(error)
    else:
        cause = "one is of files or records, the other held in memory"
    raise DataError(
        f"The examples of {_FIELD} cannot follow those of the data:"
        f" {cause} Give both in the same form, such as dir: for both."
    )
