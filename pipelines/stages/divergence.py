"""How far the statistics that BatchNorm kept of the source are from those of the data.

Asked of a hundred examples: a map has many positions, so that both moments of a channel
are known well enough, and of features without positions to about a tenth.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from pipelines.data.batches import batches
from pipelines.data.splits import Split
from pipelines.planning.features import extract
from pipelines.planning.similarity import (
    BlockDivergence,
    block_divergence,
    channel_divergences,
)
from zoo.blocks import batchnorm_inputs
from zoo.builder import Backbone


def block_divergences(
    base: Backbone, some: Split, *, batch_size: int
) -> tuple[BlockDivergence, ...]:
    """One for every block with BatchNorm layers, from input to output.

    `some` are the examples that it is measured on. None for random weights, whose
    statistics are of nothing, and for networks that hide their layers.
    """
    if base.weights == "random":
        return ()
    layers = {
        block.name: batchnorm_inputs(base.model, block)
        for block in base.blocks
        if batchnorm_inputs(base.model, block)
    }
    if not layers:
        return ()
    moments = [_moments(*one) for several in layers.values() for one in several]
    model = keras.Model(base.model.input, moments)
    read = batches(some, input_size_px=base.input_size_px, batch_size=batch_size)
    averages = iter([found.mean(axis=0) for found in extract(model, read)])
    return tuple(
        block_divergence(name, np.concatenate(_divergences(several, averages)))
        for name, several in layers.items()
    )


def _moments(
    layer: keras.layers.BatchNormalization, given: keras.KerasTensor
) -> keras.KerasTensor:
    """The averages of `z` and of its square over an example, `[batch, 2, channels]`.

    `z` is the input in units of the source; taken from that, the square of a large mean
    does not drown a small variance in float32.
    """
    variance = np.array(layer.moving_variance, np.float32) + layer.epsilon
    z = ops.cast(given, "float32") - np.array(layer.moving_mean, np.float32)
    z = z / np.sqrt(variance)
    axes = tuple(range(1, len(given.shape) - 1))
    first, second = (ops.mean(one, axis=axes) if axes else one for one in (z, z * z))
    return ops.stack([first, second], axis=1)


def _divergences(
    layers: Sequence[tuple[keras.layers.BatchNormalization, keras.KerasTensor]],
    averages,
) -> list[np.ndarray]:
    found = []
    for layer, _ in layers:
        means, squares = next(averages).astype(np.float64)
        variance = np.array(layer.moving_variance, np.float64) + layer.epsilon
        floor = layer.epsilon / variance
        found.append(channel_divergences(means, squares, floor=floor))
    return found
