"""Maps of middle blocks in one grid of cells, for detectors that look at places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.builder import Backbone
from zoo.graph.blocks import Block

CELLS = "cells"
# Covariances are estimated for as many channels; more need more normal examples.
CHANNELS = 100
# Cells a side at most: a covariance of each is kept, 40 KB.
_MOST_A_SIDE = 16
# Finer maps than one cell for so long a side, in pixels, show textures alone.
_STRIDE = 8
_FEWEST_A_SIDE = 2


@keras.saving.register_keras_serializable("zootune")
class CellMap(keras.layers.Layer):
    """Channels `kept` of maps side by side in a grid, as `[batch, grid**2 * kept]`.

    Takes maps `[batch, height, width, channels]`. Finer ones are averaged over the
    cells, coarser ones interpolated.
    """

    def __init__(self, grid: int, kept: Sequence[int], **layer_options: object) -> None:
        super().__init__(**layer_options)
        self.grid, self.kept = grid, list(kept)

    def call(self, maps: Sequence[Any]) -> Any:
        """The cells, row by row, each with its channels."""
        # In float32: bfloat16 loses the ends of long sums.
        parts = [self._in_grid(ops.cast(features, "float32")) for features in maps]
        cells = ops.take(ops.concatenate(parts, axis=-1), self.kept, axis=-1)
        width = self.grid**2 * len(self.kept)
        return ops.cast(ops.reshape(cells, (-1, width)), self.compute_dtype)

    def _in_grid(self, features: Any) -> Any:
        side = features.shape[1]
        if side > self.grid:
            cell = side // self.grid
            features = ops.average_pool(features, cell, cell, padding="valid")
        if features.shape[1] == self.grid:
            return features
        return ops.image.resize(features, (self.grid, self.grid))

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {**super().get_config(), "grid": self.grid, "kept": self.kept}


def cells_of(base: Backbone) -> keras.KerasTensor | None:
    """Cells of two middle blocks, `[batch, grid**2 * channels]`; None without maps.

    Of more channels `CHANNELS` are drawn, always the same.
    """
    blocks = _middle_blocks(base)
    if not blocks:
        return None
    finest = blocks[0].output.shape[1]
    grid = finest // -(-finest // _MOST_A_SIDE)
    channels = sum(block.output.shape[-1] for block in blocks)
    kept = np.random.default_rng(0).permutation(channels)[:CHANNELS]
    layer = CellMap(grid, sorted(kept.tolist()), name=CELLS)
    cells: keras.KerasTensor = layer([block.output for block in blocks])
    return cells


def cells_in(
    features: Mapping[tuple[str, int], np.ndarray],
) -> tuple[np.ndarray, int] | None:
    """Cells `[n, grid**2 * channels]` among what was read, and the channels."""
    for (name, grid), values in features.items():
        if name == CELLS:
            return values, values.shape[1] // grid**2
    return None


def grid_of(cells: keras.KerasTensor) -> int:
    """The number of cells a side."""
    layer: CellMap = cells._keras_history.operation
    return layer.grid


def _middle_blocks(base: Backbone) -> list[Block]:
    """The last block of each of the two finest maps with a stride of 8 or more.

    A small image may have coarser maps alone; then it is the two that are coarsest.
    """
    by_side: dict[int, Block] = {}
    for block in base.blocks:
        shape = block.output.shape
        if len(shape) == 4 and shape[1] == shape[2] and shape[1]:
            by_side[shape[1]] = block
    sides = sorted((s for s in by_side if s >= _FEWEST_A_SIDE), reverse=True)
    if not sides:
        return []
    height = base.model.input.shape[1]
    coarse = [side for side in sides if height // side >= _STRIDE]
    chosen = coarse[:2] if len(coarse) > 1 else sides[-2:]
    return [by_side[side] for side in chosen]
