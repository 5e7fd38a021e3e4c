"""Training that runs out of memory says which batch size would not have."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from pipelines.errors import TrainingError


@contextlib.contextmanager
def advice_when_full(
    model: keras.Model,
    batches: tf.data.Dataset,
    *,
    batch_size: int,
    replicas: int = 1,
) -> Iterator[None]:
    """Where memory runs out inside, steps of smaller batches are tried.

    Not where several replicas share them, which would have to try it together.

    That changes the weights of the model, which is lost in any case; what was saved of
    it stays.

    Raises:
        TrainingError: with the largest half, quarter, ... of the batch size that fits;
            or saying that it is the disk that is full.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        # TensorFlow calls a full disk by the same name; TensorBoard writes in every
        # epoch.
        if os.strerror(errno.ENOSPC) in str(error):
            raise TrainingError(
                f"The disk is full: {str(error).splitlines()[0]}. What was saved before"
                " is whole: free some space, and the same command goes on from there."
            ) from error
        if replicas > 1:
            raise TrainingError(
                f"There is no memory for a step of {batch_size} examples in {replicas}"
                f" replicas. Set config.batch_size lower, to a multiple of {replicas},"
                " and config.overwrite or another config.workdir, because that is"
                f" another run. ({str(error).splitlines()[0]})"
            ) from error
        fits = _largest_that_fits(model, batches, batch_size)
        advice = (
            "Not even one example fits: take a smaller config.input_size_px or backbone"
            if fits is None
            else f"A step of {fits} examples fits: set config.batch_size={fits}"
        )
        raise TrainingError(
            f"There is no memory for a step of {batch_size} examples. {advice}, and"
            " config.overwrite or another config.workdir, because that is another run."
            f" ({str(error).splitlines()[0]})"
        ) from error


def _largest_that_fits(
    model: keras.Model, batches: tf.data.Dataset, batch_size: int
) -> int | None:
    size = batch_size // 2
    while size:
        for inputs, *rest in batches.take(1):
            few = tf.nest.map_structure(lambda one, n=size: one[:n], (inputs, *rest))
            try:
                model.train_on_batch(*few)
            except tf.errors.ResourceExhaustedError:
                size //= 2
            else:
                return size
    return None
