"""Named boundaries to ordered blocks: every layer of a network in exactly one block."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import keras

from zoo.errors import BackboneError
from zoo.spec import OUTPUT, Boundary


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """A run of layers that is frozen, trained and probed as one.

    `output` is what its last layer gives. `frontier` holds every tensor that later
    blocks read from this one and its predecessors, in graph order: one tensor for most
    networks, several where connections jump over the boundary (NASNet).
    """

    name: str
    layers: tuple[keras.layers.Layer, ...]
    output: keras.KerasTensor
    frontier: tuple[keras.KerasTensor, ...]

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights, trainable or not, each once."""
        return [v for layer in self.layers for v in layer.variables]


@runtime_checkable
class KeepsStatistics(Protocol):
    """A layer with statistics inside that cannot be frozen apart from its weights.

    With `runs_in_inference` it is called in inference mode also while it trains, so
    that its `statistics` stay and its dropout is off. `scales` are the weights that
    BatchNormalization multiplies by and adds, as far as they are known.
    """

    runs_in_inference: bool

    @property
    def statistics(self) -> Sequence[keras.Variable]:
        """The moving statistics."""

    @property
    def scales(self) -> Sequence[keras.Variable]:
        """The factors and offsets of BatchNormalization."""


def layers_inside(layer: keras.layers.Layer) -> Sequence[keras.layers.Layer]:
    """The layer itself and all that it is made of, at any depth."""
    return list(layer._flatten_layers())


def batchnorm_inputs(
    model: keras.Model, block: Block
) -> list[tuple[keras.layers.BatchNormalization, keras.KerasTensor]]:
    """The BatchNorm layers of a block of a model, and what each normalizes.

    Layers inside of other layers are left out: they read no tensor of the graph.
    """
    own = {id(layer) for layer in block.layers}
    return [
        (node.operation, node.input_tensors[0])
        for node in nodes_in_graph_order(model)
        if id(node.operation) in own
        and isinstance(node.operation, keras.layers.BatchNormalization)
    ]


def find_blocks(
    model: keras.Model, boundaries: Sequence[Boundary]
) -> tuple[Block, ...]:
    """The blocks of a functional model, from input to output.

    A block holds the layers that its boundary depends on and that no earlier block
    holds, so freezing the first blocks always freezes a whole sub-network.

    Raises:
        BackboneError: if a boundary names no layer, comes out of order, or if layers
            stay without a block.
    """
    nodes = nodes_in_graph_order(model)
    producer = {id(t): node for node in nodes for t in node.outputs}
    placed: dict[int, int] = {}
    ends: list[keras.KerasTensor] = []
    for index, boundary in enumerate(boundaries):
        end = _boundary_tensor(model, nodes, boundary)
        new = [n for n in _ancestors(end, producer) if id(n) not in placed]
        if not new:
            raise BackboneError(
                f"Block '{boundary.block}' of {model.name} would be empty: its boundary"
                f" '{boundary.layer}' lies inside an earlier block."
            )
        placed.update((id(node), index) for node in new)
        ends.append(end)
    _refuse_unplaced(model, nodes, placed, boundaries)
    return tuple(
        Block(
            name=boundary.block,
            layers=tuple(
                dict.fromkeys(
                    n.operation
                    for n in nodes
                    if placed[id(n)] == index
                    and isinstance(n.operation, keras.layers.Layer)
                )
            ),
            output=ends[index],
            frontier=_frontier(nodes, placed, index, ends[-1]),
        )
        for index, boundary in enumerate(boundaries)
    )


def nodes_in_graph_order(model: keras.Model) -> list:
    """The graph's nodes, inputs first, each after everything that it reads."""
    return [
        node
        for depth in sorted(model._nodes_by_depth, reverse=True)
        for node in model._nodes_by_depth[depth]
    ]


def _boundary_tensor(
    model: keras.Model, nodes: list, boundary: Boundary
) -> keras.KerasTensor:
    if boundary.layer == OUTPUT:
        return model.output
    by_class = boundary.layer_by_class
    if by_class:
        layer_class, ordinal = by_class
        ends = [n for n in nodes if type(n.operation).__name__ == layer_class]
        ends = ends[ordinal - 1 : ordinal]
    else:
        ends = [n for n in nodes if n.operation.name == boundary.layer]
    if len(ends) != 1:
        raise BackboneError(
            f"Block '{boundary.block}' should end at '{boundary.layer}', but"
            f" {model.name} has {len(ends)} such layers. Its last layers are"
            f" {[node.operation.name for node in nodes[-5:]]}."
        )
    return ends[0].outputs[0]


def _ancestors(end: keras.KerasTensor, producer: dict) -> Iterable:
    seen: dict[int, object] = {}
    stack = [producer[id(end)]]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            stack.extend(producer[id(t)] for t in node.input_tensors)
    return seen.values()


def _frontier(
    nodes: list, placed: dict[int, int], index: int, output: keras.KerasTensor
) -> tuple[keras.KerasTensor, ...]:
    read_later = {
        id(t) for n in nodes if placed[id(n)] > index for t in n.input_tensors
    } | {id(output)}
    return tuple(
        t
        for n in nodes
        if placed[id(n)] <= index
        for t in n.outputs
        if id(t) in read_later
    )


def _refuse_unplaced(
    model: keras.Model,
    nodes: list,
    placed: dict[int, int],
    boundaries: Sequence[Boundary],
) -> None:
    unplaced = [n.operation.name for n in nodes if id(n) not in placed]
    if unplaced:
        raise BackboneError(
            f"{len(unplaced)} layers of {model.name} belong to no block, the first is"
            f" '{unplaced[0]}'. The boundaries are {[b.layer for b in boundaries]}."
        )
