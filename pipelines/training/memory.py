"""Advice when training runs out of memory: the largest batch size that fits."""

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
    """Tries smaller batches when memory runs out inside, and names one that fits.

    With several replicas none is tried, because all of them would have to take part.
    Trying changes the weights of the model, which is lost in any case; checkpoints stay
    as they are.

    Raises:
        TrainingError: with the largest half, quarter, ... of the batch size that fits,
            or with the reason that the disk is full.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        # TensorFlow raises the same error for a full disk; TensorBoard writes in every
        # epoch.
        if os.strerror(errno.ENOSPC) in str(error):
            raise TrainingError(
                f"The disk is full: {str(error).splitlines()[0]}. The last checkpoint"
                " is complete: free some space and run the same command again."
            ) from error
        if replicas > 1:
            raise TrainingError(
                f"A step of {batch_size} examples in {replicas} replicas does not fit"
                " into memory. Set config.batch_size to a smaller multiple of"
                f" {replicas}, and set config.overwrite or another config.workdir,"
                " because a run keeps its batch size."
                f" ({str(error).splitlines()[0]})"
            ) from error
        fits = _largest_that_fits(model, batches, batch_size)
        advice = (
            "Not even one example fits: take a smaller config.input_size_px or backbone"
            if fits is None
            else f"A step of {fits} examples fits: set config.batch_size={fits}"
        )
        raise TrainingError(
            f"A step of {batch_size} examples does not fit into memory. {advice}, and"
            " set config.overwrite or another config.workdir, because a run keeps its"
            f" batch size. ({str(error).splitlines()[0]})"
        ) from error


def _largest_that_fits(
    model: keras.Model, batches: tf.data.Dataset, batch_size: int
) -> int | None:
    size = batch_size // 2
    while size:
        for inputs, *rest in batches.take(1):
            few = tf.nest.map_structure(lambda rows, n=size: rows[:n], (inputs, *rest))
            try:
                model.train_on_batch(*few)
            except tf.errors.ResourceExhaustedError:
                size //= 2
            else:
                return size
    return None
