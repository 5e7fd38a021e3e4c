"""How much of a run is the same the next time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from pipelines.errors import TrainingError


@contextlib.contextmanager
def determinism(level: str) -> Iterator[None]:
    """`strict` has TensorFlow use ops that give the same bits, or none at all.

    With `default` that holds for all that we know of on a CPU, and not for every op on
    a GPU. TensorFlow has no way back from `strict`, so it is for the process.

    Raises:
        TrainingError: naming an op that cannot be deterministic.
    """
    if level != "strict":
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    except tf.errors.UnimplementedError as error:
        raise TrainingError(
            "With config.deterministic='strict' every op has to give the same bits each"
            f" time, and one cannot: {str(error).splitlines()[0]} Use 'default',"
            " or another backbone."
        ) from error
