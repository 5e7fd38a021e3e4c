"""A check that two threads may compute a graph at once.

They may, but for one fault of TensorFlow (2.21, oneDNN on processors): a convolution
that its optimizer joined with a bias and an addition of two maps keeps in a field of
the kernel where the second map lies. Two calls at once then add what is the other's, or
read memory that was freed. Networks that were folded keep such additions apart (see
`zoo.graph.folding.Apart`); a SavedModel of somebody else's may have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_CONVOLUTIONS = {"Conv2D", "Conv3D", "DepthwiseConv2dNative"}
_ADDS = {"Add", "AddV2", "AddN", "BiasAdd"}
# What an optimizer looks through, or takes away.
_TRANSPARENT = {"Identity", "StopGradient", "Squeeze"}


def is_reentrant(graph: Any) -> bool:
    """True if a `GraphDef`, with its functions, has no such convolution."""
    scopes = [graph.node, *(function.node_def for function in graph.library.function)]
    return not any(_adds_twice(nodes) for nodes in scopes)


def _adds_twice(nodes: Iterable[Any]) -> bool:
    """True if a bias is added to a convolution, and then another map."""
    by_name = {node.name: node for node in nodes}
    biased = {
        name
        for name, node in by_name.items()
        if node.op in _ADDS
        and _CONVOLUTIONS & {read.op for read in _read(node, by_name)}
    }
    return any(
        read.name in biased
        for node in by_name.values()
        if node.op in _ADDS
        for read in _read(node, by_name)
    )


def _read(node: Any, by_name: Mapping[str, Any]) -> Iterator[Any]:
    """The nodes that compute its inputs, past nodes that change nothing."""
    for name in node.input:
        source = by_name.get(_node_name(name))
        while source is not None and source.op in _TRANSPARENT and source.input:
            source = by_name.get(_node_name(source.input[0]))
        if source is not None:
            yield source


def _node_name(tensor: str) -> str:
    return tensor.split(":")[0].lstrip("^")
