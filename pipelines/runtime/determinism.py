"""How much of a run is the same the next time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

# TensorFlow has a public way into it, and none that asks or leads back.
from tensorflow.python.framework.config import (
    disable_op_determinism,
    is_op_determinism_enabled,
)

from pipelines.errors import TrainingError


@contextlib.contextmanager
def determinism(level: str) -> Iterator[None]:
    """`strict` has TensorFlow use ops that give the same bits, or none at all.

    With `default` that holds for all that we know of on a CPU, and not for every op on
    a GPU. What was chosen before for the process comes back.

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
