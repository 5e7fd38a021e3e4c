"""Re-estimated BatchNorm statistics: those of the data replace those of the source.

Moving averages lag behind weights and depend on the order of the last batches. What
https://arxiv.org/abs/2105.07576 calls PreciseBN is exact instead: weights stay as they
are, and each channel gets the mean and the variance over all examples that are read.

One pass measures all layers; the layers before each one normalize by the batch. Layer
by layer, with the population statistics of the earlier layers, would take one pass for
each of dozens of layers. With a single batch both are the same, and with batches of
dozens of maps nearly so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from pipelines.data.input.batches import batches
from pipelines.data.splits import Split
from zoo.graph.blocks import Block, layers_inside

# With more examples statistics hardly change, and the pass takes longer.
_EXAMPLES = 4096
# Large, because layers see how a batch was normalized. Nothing trains, so a batch takes
# a fraction of the memory of a training step.
_BATCH = 64
# Moving statistics average over the steps of a phase divided by this.
_FOLLOWED_BY = 10.0


def batchnorm_layers(block: Block) -> list[keras.layers.BatchNormalization]:
    """The BatchNorm layers of a block, also inside of its layers."""
    return [
        inner
        for layer in block.layers
        for inner in layers_inside(layer)
        if isinstance(inner, keras.layers.BatchNormalization)
    ]


def quicken(blocks: Sequence[Block], *, steps: int) -> None:
    """Lowers the momentum: moving statistics follow within a tenth of `steps`.

    Random weights come without statistics of any data, so a phase has to learn them.
    """
    for block in blocks:
        for layer in batchnorm_layers(block):
            layer.momentum = min(layer.momentum, max(0.0, 1 - _FOLLOWED_BY / steps))


def reestimate(
    model: keras.Model,
    blocks: Sequence[Block],
    train: Split,
    *,
    input_size_px: int | None,
    seed: int,
) -> None:
    """Sets the statistics of all BatchNorm layers to those of training examples.

    The examples are not augmented, and dropout is off, as when the model answers. They
    are shuffled, because a batch of a single class would be normalized by that class.
    At most 4,096 are read. Only the statistics change.
    """
    layers = [layer for block in blocks for layer in batchnorm_layers(block)]
    chosen = np.random.default_rng(seed).permutation(len(train))[:_EXAMPLES]
    # Batches of nearly equal size: a small last one would be normalized badly.
    batch_size = -(-len(chosen) // -(-len(chosen) // _BATCH))
    read = batches(
        train.take(chosen),
        input_size_px=input_size_px,
        batch_size=batch_size,
    )
    population = [_Population() for _ in layers]
    with _normalizing_by_batch(layers):
        for inputs, labels in read:
            model(inputs, training=False)
            for layer, statistics in zip(layers, population):
                statistics.add(layer, examples=len(labels))
    for layer, statistics in zip(layers, population):
        layer.moving_mean.assign(statistics.mean)
        layer.moving_variance.assign(statistics.variance)


class _Population:
    """The mean and variance of all batches together, in float64."""

    def __init__(self) -> None:
        self._examples = 0
        self._sums = np.zeros(2)

    def add(self, layer: keras.layers.BatchNormalization, *, examples: int) -> None:
        mean, variance = (
            np.asarray(keras.ops.convert_to_numpy(v), np.float64)
            for v in (layer.moving_mean, layer.moving_variance)
        )
        both = np.stack([mean, variance + np.square(mean)])
        self._sums = self._sums.reshape(2, -1) + examples * both
        self._examples += examples

    @property
    def mean(self) -> np.ndarray:
        return self._sums[0] / self._examples

    @property
    def variance(self) -> np.ndarray:
        squares = self._sums[1] / self._examples
        return np.maximum(squares - np.square(self.mean), 0.0)


@contextlib.contextmanager
def _normalizing_by_batch(
    layers: Sequence[keras.layers.BatchNormalization],
) -> Iterator[None]:
    """Lets only these layers run as in training, in an inference pass.

    Their statistics become those of the last batch, and the old ones are lost.
    """
    before = [(layer.trainable, layer.momentum, layer.renorm) for layer in layers]
    try:
        for layer in layers:
            layer.trainable, layer.momentum, layer.renorm = True, 0.0, False
            layer.call = _as_in_training(layer)
        yield
    finally:
        for layer, state in zip(layers, before):
            layer.trainable, layer.momentum, layer.renorm = state
            del layer.call


def _as_in_training(layer: keras.layers.BatchNormalization):
    of_class = layer.call

    def call(inputs, training=None, mask=None):
        return of_class(inputs, training=True, mask=mask)

    return call
