"""The last blocks of a network, on kept outputs of all blocks below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.splits import Inputs, Split
from pipelines.errors import ConfigError
from pipelines.features.block_vectors import vectors_of
from pipelines.features.stored import keep, taker
from pipelines.training.freezing import set_trainable, split_at
from zoo.builder import Backbone

_BATCH_SIZE = 32


class Tail:
    """The last blocks of a backbone, which train, and their inputs for all examples.

    BatchNorm keeps its statistics and weights. An embedding is the average over the
    last block.

    Raises:
        ConfigError: if the backbone has too few blocks, or its activations do not fit
            into memory.
        DataError: naming files that have changed since they were checked.
    """

    def __init__(self, base: Backbone, inputs: Inputs, *, blocks: int) -> None:
        known = len(base.blocks)
        if not 1 <= blocks < known:
            raise ConfigError(
                f"blocks is {blocks}, and '{base.spec.name}' has {known}. Allowed: from"
                f" 1 to {known - 1}; the others stay as they are."
            )
        self.count = len(inputs)
        trained = [block.name for block in base.blocks[-blocks:]]
        set_trainable(base.blocks, trained, batchnorm="frozen")
        last = vectors_of(base)[base.blocks[-1].name, 1]
        lower, self._upper = split_at(
            keras.Model(base.model.input, last),
            base.blocks,
            known - blocks,
            pooled_blocks={},
        )
        self._take = taker(_kept(lower, base, inputs))
        self.trained = tuple(trained)

    @property
    def variables(self) -> Sequence[Any]:
        """The weights that train."""
        return self._upper.trainable_variables

    def inputs(self, rows: tf.Tensor) -> Any:
        """The inputs of the blocks for rows `[n]`, int64."""
        return self._take(rows)[0]

    def embed(self, inputs: Any) -> tf.Tensor:
        """Embeddings float32 `[n, width]`, in inference mode."""
        return tf.cast(self._upper(inputs, training=False), tf.float32)

    def embeddings(self) -> np.ndarray:
        """The embeddings of all examples, float32 `[n, width]`."""
        embed = tf.function(lambda rows: self.embed(self.inputs(rows)), autograph=False)
        rows = np.arange(self.count)
        return np.concatenate(
            [
                embed(tf.constant(rows[first : first + _BATCH_SIZE])).numpy()
                for first in range(0, self.count, _BATCH_SIZE)
            ]
        )


def _kept(lower: keras.Model, base: Backbone, inputs: Inputs) -> Any:
    split = Split("train", inputs, np.zeros(len(inputs), np.int64))

    def read(split: Split) -> tf.data.Dataset:
        return batches(split, input_size_px=base.input_size_px, batch_size=_BATCH_SIZE)

    with broken_files_named(split):
        kept = keep(lower, [split], read, input_size_px=base.input_size_px, disk=None)
    if kept is None:
        raise ConfigError(
            "The outputs of the blocks below do not fit into a GB of memory. Train"
            " fewer blocks, or use smaller images or fewer examples (`?limit=N`)."
        )
    return kept[0]
