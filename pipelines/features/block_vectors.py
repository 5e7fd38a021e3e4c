"""The vectors that a pass over the data reads from every block of a backbone."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from pipelines.features.pooling import pool_block, token_average
from pipelines.planning.head_inputs import HeadInput, LayerOutput, possible_head_inputs
from pipelines.planning.plan import HeadPlan
from zoo.builder import Backbone
from zoo.graph.blocks import Block

THUMBNAIL_PX = 16
PIXELS = "pixels"
_GRID = 2


def head_inputs_of(base: Backbone) -> tuple[HeadInput, ...]:
    """The inputs that a head could read; for texts the last block alone."""
    if base.spec.modality == "text":
        return possible_head_inputs([_layer_output(base.blocks[-1])], cells=1)
    return possible_head_inputs(
        [_layer_output(block) for block in base.blocks], cells=_cells(base)
    )


def _layer_output(block: Block) -> LayerOutput:
    return LayerOutput(block.name, block.output.shape[-1])


def vectors_of(base: Backbone) -> dict[tuple[str, int], keras.KerasTensor]:
    """A vector for every block, others for heads to read, and tiny thumbnails."""
    last = base.blocks[-1]
    if base.spec.modality == "text":
        return {(last.name, 1): token_average(last.output)}
    keys = {(block.name, 1) for block in base.blocks}
    keys |= {
        (name, head_input.grid)
        for head_input in head_inputs_of(base)
        for name in head_input.reads
    }
    vectors = {
        (block.name, grid): pool_block(
            block, grid=grid, name=f"measured_{grid}_{block.name}"
        )
        for block in base.blocks
        for grid in (1, _GRID)
        if (block.name, grid) in keys
    }
    if base.spec.modality == "image":
        # Resizing with antialias would keep OpenVINO from doing the pass.
        cell = [-(-side // THUMBNAIL_PX) for side in base.model.input.shape[1:3]]
        shrink = keras.layers.AveragePooling2D(cell, padding="same")
        vectors[PIXELS, 1] = keras.layers.Flatten()(shrink(base.model.input))
    return vectors


def _cells(base: Backbone) -> int:
    """The number of cells of a grid on the largest map; 1 without a grid."""
    sides = base.blocks[0].output.shape[1:-1]
    has_grid = bool(sides) and all(side and side >= _GRID for side in sides)
    return _GRID ** len(sides) if has_grid else 1


def parts_of(
    features: Mapping[tuple[str, int], np.ndarray], head_input: HeadInput | HeadPlan
) -> list[np.ndarray]:
    """In the order of the blocks, as a head reads them."""
    return [features[block, head_input.grid] for block in head_input.reads]
