"""Finds block boundaries in a network without a catalog row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from zoo.graph.blocks import nodes_in_graph_order
from zoo.spec import OUTPUT, Boundary

Node = Any  # Keras has no public name for it.


def find_boundaries(
    model: keras.Model, transformer_layers: Sequence[keras.layers.Layer]
) -> tuple[Boundary, ...]:
    """The ends of the blocks of a functional model, from input to output.

    With `transformer_layers`, each of them is a block, and what comes before them is
    one. Otherwise a block ends where everything goes through one tensor after paths
    have met, as at the end of a residual unit, or after a layer made of layers; and in
    a chain, where maps become smaller. Every block has weights.
    """
    nodes = nodes_in_graph_order(model)
    ends = _after(nodes, transformer_layers) or _meetings(model, nodes)
    kept: list[int] = []
    for end in ends:
        if _has_weights(nodes, kept, end) and not _is_split(nodes, end):
            kept.append(end)
    # What is left after the last end belongs to its block, if it has no weights.
    if kept and not any(_weights(node) for node in nodes[kept[-1] + 1 :]):
        kept.pop()
    names = _names([nodes[end].operation.name for end in kept])
    return (
        *(Boundary(name, _address(nodes, end)) for name, end in zip(names, kept)),
        Boundary(_last_name(nodes, names), OUTPUT),
    )


def _after(nodes: list[Node], layers: Sequence[keras.layers.Layer]) -> list[int]:
    """The node before the first of these layers, and the node of each."""
    of_layer = {id(layer) for layer in layers}
    places = [i for i, node in enumerate(nodes) if id(node.operation) in of_layer]
    if not places:
        return []
    read = {id(t) for t in nodes[places[0]].input_tensors}
    before = [
        i
        for i, node in enumerate(nodes[: places[0]])
        if not node.is_input and any(id(t) in read for t in node.outputs)
    ]
    return [*before[-1:], *places]


def _meetings(model: keras.Model, nodes: list[Node]) -> list[int]:
    narrow = _narrow_places(model, nodes)
    units = [i for i in narrow if _is_meeting(nodes[i]) or _is_made_of_layers(nodes[i])]
    if units:
        # The last place before paths first part: the stem ends there.
        before = [i for i in narrow if i < units[0]]
        ends = [
            *before[-1:],
            *(_without_weights_after(nodes, narrow, i) for i in units),
        ]
        return list(dict.fromkeys(ends))
    return [i for i in narrow if _is_smaller(nodes[i])]


def _narrow_places(model: keras.Model, nodes: list[Node]) -> list[int]:
    """The nodes whose output is all that later ones read."""
    last_reader = {id(model.output): len(nodes)}
    for i, node in enumerate(nodes):
        for tensor in node.input_tensors:
            last_reader[id(tensor)] = max(i, last_reader.get(id(tensor), 0))
    open_until: dict[int, int] = {}
    narrow = []
    for i, node in enumerate(nodes):
        for tensor in node.outputs:
            if id(tensor) in last_reader:
                open_until[id(tensor)] = last_reader[id(tensor)]
        crossing = [key for key, until in open_until.items() if until > i]
        if not node.is_input and crossing == [id(node.outputs[0])]:
            narrow.append(i)
    return narrow


def _without_weights_after(nodes: list[Node], narrow: list[int], end: int) -> int:
    """The last of the narrow places that follow one without weights in between."""
    while end + 1 in narrow and not _weights(nodes[end + 1]):
        end += 1
    return end


def _is_meeting(node: Node) -> bool:
    # A product is a gate inside a unit, as in squeeze and excitation.
    is_gate = type(node.operation).__name__ == "Multiply"
    return not is_gate and len({id(t) for t in node.input_tensors}) > 1


def _is_made_of_layers(node: Node) -> bool:
    layer = node.operation
    return bool(_weights(node)) and any(
        inner is not layer and inner.weights for inner in _inner(layer)
    )


def _is_smaller(node: Node) -> bool:
    """True if a map has fewer positions after the node than before it."""
    (before, *_), (after, *_) = node.input_tensors, node.outputs
    if len(before.shape) != len(after.shape) or len(after.shape) < 3:
        return False
    return after.shape[1] < before.shape[1]


def _inner(layer: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(layer, keras.layers.Layer):
        yield from layer._flatten_layers(include_self=False)


def _weights(node: Node) -> list[keras.Variable]:
    return node.operation.weights if isinstance(node.operation, keras.Layer) else []


def _has_weights(nodes: list[Node], kept: list[int], end: int) -> bool:
    start = kept[-1] + 1 if kept else 0
    return any(_weights(node) for node in nodes[start : end + 1])


def _is_split(nodes: list[Node], end: int) -> bool:
    """True if a layer that is used more than once lies on both sides."""
    before = {id(node.operation) for node in nodes[: end + 1] if _weights(node)}
    return any(id(node.operation) in before for node in nodes[end + 1 :])


def _address(nodes: list[Node], end: int) -> str:
    """`Class#n`: names of layers may be numbered per process."""
    kind = type(nodes[end].operation).__name__
    ordinal = sum(type(n.operation).__name__ == kind for n in nodes[: end + 1])
    return f"{kind}#{ordinal}"


def _names(raw: Sequence[str]) -> list[str]:
    """Names that are unique among the blocks and the head."""
    names: list[str] = []
    for layer_name in raw:
        name = re.sub(r"[^a-z0-9]+", "_", layer_name.lower()).strip("_") or "block"
        name = f"{name}_block" if name == "head" else name
        names.append(f"{name}_{len(names)}" if name in names else name)
    return names


def _last_name(nodes: list[Node], taken: Sequence[str]) -> str:
    """Named after the last layer with weights."""
    with_weights = [node.operation.name for node in nodes if _weights(node)]
    return _names([*taken, *with_weights[-1:]])[-1]
