"""Freezing that holds: the only place that sets `trainable`.

In Keras 3 the published recipe, `base(x, training=False)`, is overridden by fit: the
moving statistics of BatchNormalization drift and dropout is active (keras #20285). What
holds is `trainable = False` on every BatchNormalization layer, and a frozen part behind
a layer that does not pass `training` on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras

from zoo.graph.blocks import (
    Block,
    KeepsStatistics,
    layers_inside,
    nodes_in_graph_order,
)
from zoo.graph.folding import folded

_NORMS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
)


def biases(block: Block) -> list[keras.Variable]:
    """The biases of a block and the offsets of its norms (BitFit).

    See https://arxiv.org/abs/2106.10199, which trains nothing else.
    """
    return [v for v in block.variables if v.name in ("bias", "beta")]


def norm_weights(block: Block) -> list[keras.Variable]:
    """The scales and offsets of the norms of a block, without moving statistics.

    See https://arxiv.org/abs/2003.00152, which trains nothing else.
    """
    norms = [
        inner
        for layer in block.layers
        for inner in layers_inside(layer)
        if isinstance(inner, _NORMS)
    ]
    return [
        v for norm in norms for v in norm.weights if not v.name.startswith("moving_")
    ]


_TUNED: Mapping[str, Callable[[Block], list[keras.Variable]]] = {
    "bias": biases,
    "norm": norm_weights,
}


def set_trainable(
    blocks: Sequence[Block],
    trainable: Collection[str],
    *,
    batchnorm: str,
    tune: str = "all",
) -> None:
    """Makes exactly the named blocks trainable, and BatchNorm only if it is `trained`.

    This covers BatchNorm inside of layers too. A layer that hides its BatchNorm runs in
    inference mode, and the scales and offsets that it names are frozen as well.

    With the `tune` `bias` or `norm`, of the named blocks nothing but these weights
    trains. Then scales and offsets of BatchNorm do too, with statistics as before.

    Takes effect when the model is compiled next, with a new optimizer.
    """
    for block in blocks:
        for layer in block.layers:
            # Set to false first: Keras skips a layer whose own value is the same, even
            # if one of its weights differs.
            layer.trainable = False
            layer.trainable = block.name in trainable
            for inner in layers_inside(layer) if batchnorm != "trained" else ():
                if isinstance(inner, keras.layers.BatchNormalization):
                    inner.trainable = False
            if isinstance(layer, KeepsStatistics):
                layer.runs_in_inference = batchnorm != "trained"
                for weight in layer.scales if batchnorm != "trained" else ():
                    weight.trainable = False
        if tune != "all" and block.name in trainable:
            chosen = {id(variable) for variable in _TUNED[tune](block)}
            for variable in block.variables:
                variable.trainable = id(variable) in chosen


@keras.saving.register_keras_serializable("zootune")
class InferenceOnly(keras.layers.Layer):
    """Runs a model in inference mode whatever the caller asks, and never trains it."""

    def __init__(self, model: keras.Model, **layer_options: object) -> None:
        super().__init__(trainable=False, **layer_options)
        self.model = model

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self.model(inputs, training=False)

    def get_config(self) -> dict[str, Any]:
        model = keras.saving.serialize_keras_object(self.model)
        config = {**super().get_config(), "model": model}
        del config["trainable"]  # always false
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InferenceOnly:
        """The layer with the model that its config describes."""
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})


def frozen_depth(blocks: Sequence[Block], trainable: Collection[str]) -> int:
    """The number of blocks before the first trainable one."""
    for depth, block in enumerate(blocks):
        if block.name in trainable:
            return depth
    return len(blocks)


PooledBlocks = Mapping[str, keras.KerasTensor]


def split_at(
    model: keras.Model,
    blocks: Sequence[Block],
    depth: int,
    *,
    pooled_blocks: PooledBlocks,
) -> tuple[keras.Model, keras.Model]:
    """A model as two that share its layers: the first `depth` blocks, and the rest.

    `model` begins with the blocks, and its head reads `pooled_blocks`, by name. The
    outputs of the first part are the inputs of the second, a list if connections jump
    over the boundary.
    """
    below = [
        pooled_blocks[block.name]
        for block in blocks[:depth]
        if block.name in pooled_blocks
    ]
    if depth == len(blocks):
        # Only the head is left, which reads the pooled blocks if there are any.
        crossing = below or list(blocks[-1].frontier)
    else:
        # Where the network is cut, the blocks above it read what nothing else does.
        read = {
            id(tensor)
            for node in nodes_in_graph_order(model)
            for tensor in node.input_tensors
        }
        frontier = [t for t in blocks[depth - 1].frontier if id(t) in read]
        crossing = [*frontier, *below]
    boundary = crossing[0] if len(crossing) == 1 else crossing
    return keras.Model(model.input, boundary), keras.Model(boundary, model.output)


def behind_frozen(
    model: keras.Model,
    blocks: Sequence[Block],
    depth: int,
    *,
    pooled_blocks: PooledBlocks,
) -> keras.Model:
    """The same function as `model`, with its first `depth` blocks in inference mode.

    BatchNorm that does not train is folded.
    """
    if depth == 0:
        return folded(model)
    lower, upper = split_at(model, blocks, depth, pooled_blocks=pooled_blocks)
    frozen = InferenceOnly(folded(lower, in_inference=True), name="frozen")
    old = model.input
    inputs = keras.Input(old.shape[1:], dtype=old.dtype, name=old.name)
    return keras.Model(inputs, folded(upper)(frozen(inputs)))
