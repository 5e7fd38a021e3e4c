"""The blocks that a head could read, within a limit of width."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

# A head of this width costs less than a hundredth of a pass through a small
# network, and a probe on two thousand examples takes seconds.
_MAXIMUM_WIDTH = 16_384


@dataclasses.dataclass(frozen=True)
class LayerOutput:
    """A block whose output can be averaged: its name, and its number of channels."""

    block: str
    channels: int


@dataclasses.dataclass(frozen=True)
class HeadInput:
    """The input of a head: blocks by name, each averaged over the cells of a grid."""

    reads: tuple[str, ...]
    grid: int


def possible_head_inputs(
    outputs: Sequence[LayerOutput], *, cells: int
) -> tuple[HeadInput, ...]:
    """The inputs that a head could read of these blocks, in order, from simple to rich.

    The last block alone; all blocks; and all of them in a grid of 2 by 2 (for series,
    two halves), for data in which places matter. `cells` is the number of cells of that
    grid, 1 without one. A head on a wide network reads evenly spaced blocks.
    """
    inputs = [HeadInput((outputs[-1].block,), grid=1)]
    if len(outputs) > 1:
        inputs.append(HeadInput(_spaced(outputs, cells=1), grid=1))
    if cells > 1:
        inputs.append(HeadInput(_spaced(outputs, cells=cells), grid=2))
    return tuple(inputs)


def inputs_after_cut(
    inputs: Sequence[HeadInput], block_names: Sequence[str], *, after: str
) -> tuple[HeadInput, ...]:
    """The inputs of a head on a network without the blocks after `after`.

    That block alone, and the richer `inputs` as far as they are left, where that block
    is the last one that they read.
    """
    left = block_names[: list(block_names).index(after) + 1]
    cut = [HeadInput((after,), grid=1)]
    for head_input in inputs[1:]:
        reads = tuple(name for name in head_input.reads if name in left)
        if reads[-1:] == (after,):
            cut.append(HeadInput(reads, head_input.grid))
    return tuple(dict.fromkeys(cut))


def _spaced(outputs: Sequence[LayerOutput], *, cells: int) -> tuple[str, ...]:
    """All blocks, or every second, third, ... from the last, until they fit."""
    for step in range(1, len(outputs)):
        kept = outputs[::-1][::step][::-1]
        if cells * sum(output.channels for output in kept) <= _MAXIMUM_WIDTH:
            return tuple(output.block for output in kept)
    return (outputs[-1].block,)
