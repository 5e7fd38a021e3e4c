"""A classifier as training sees it: the backbone, and the head on top of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras

from pipelines.planning.plan import HeadPlan
from zoo.builder import Backbone
from zoo.graph.blocks import Block
from zoo.spec import HEAD


@dataclasses.dataclass(frozen=True, eq=False)
class TransferModel:
    """A classifier: the backbone, and the head on top of it.

    `model` takes raw input and gives float32 logits `[batch, classes]`. `head_input` is
    the tensor that the layers of the head read, a list of them where new blocks read
    one and others are averaged, and `pooled` the feature vector; they are the same
    unless layers that train lie between. `pooled_blocks` are the parts of `pooled` by
    block, if the head reads averages over blocks. `plan` is the plan of the head.
    """

    model: keras.Model
    backbone: Backbone
    head_input: keras.KerasTensor | list[keras.KerasTensor]
    pooled: keras.KerasTensor
    pooled_blocks: Mapping[str, keras.KerasTensor]
    head_layers: tuple[keras.layers.Layer, ...]
    plan: HeadPlan

    @property
    def standardized(self) -> bool:
        """True if the head reads standardized averages over blocks."""
        return self.plan.standardized

    @property
    def head_keys(self) -> tuple[tuple[str, int], ...]:
        """The blocks that the head reads, in the order of the backbone's, and the grid
        that each is averaged over."""
        names = [block.name for block in self.backbone.blocks]
        reads = sorted(self.plan.reads, key=names.index)
        return tuple((name, self.plan.grid) for name in reads)

    @property
    def last_block(self) -> Block:
        """The last block of the backbone that is part of the model."""
        last, _ = self.head_keys[-1]
        return next(block for block in self.backbone.blocks if block.name == last)

    @property
    def layers_by_block(self) -> dict[str, Sequence[keras.layers.Layer]]:
        """The layers of each block of the backbone, in order, and of the head."""
        of_blocks = {block.name: block.layers for block in self.backbone.blocks}
        return {**of_blocks, HEAD: self.head_layers}

    @property
    def head(self) -> keras.Model:
        """The head alone, from what it reads to logits; it shares the layers."""
        return keras.Model(self.head_input, self.model.output)

    @property
    def logits_layer(self) -> keras.layers.Dense:
        """The dense layer of the head that gives the logits."""
        return next(layer for layer in self.head_layers if layer.name == "logits")
