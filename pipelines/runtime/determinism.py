"""Ops that give the same bits in every run, or an error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

# TensorFlow can enable it publicly, but neither ask for it nor disable it.
from tensorflow.python.framework.config import (
    disable_op_determinism,
    is_op_determinism_enabled,
)

from pipelines.errors import TrainingError


@contextlib.contextmanager
def determinism(level: str) -> Iterator[None]:
    """With `strict`, TensorFlow uses only ops that give the same bits.

    With `default` this holds for every op that we know on a CPU, and not for every op
    on a GPU. The setting of the process before comes back.

    Raises:
        TrainingError: naming an op that cannot be deterministic.
    """
    if level != "strict":
        yield
        return
    was_enabled = is_op_determinism_enabled()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    except tf.errors.UnimplementedError as error:
        raise TrainingError(
            "With config.deterministic='strict' every op has to give the same bits each"
            f" time, and one cannot: {str(error).splitlines()[0]} Use 'default',"
            " or another backbone."
        ) from error
    finally:
        if not was_enabled:
            disable_op_determinism()
