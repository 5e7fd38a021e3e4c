"""The functions and nodes of a `MetaGraphDef`, and what calls what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def functions_of(meta_graph: Any) -> dict[str, Any]:
    """The functions of its library, by name."""
    library = meta_graph.graph_def.library
    return {function.signature.name: function for function in library.function}


def nodes_of(meta_graph: Any) -> Iterator[tuple[str | None, Any]]:
    """Every node, and the name of its function; the main graph has none."""
    for node in meta_graph.graph_def.node:
        yield None, node
    for name, function in functions_of(meta_graph).items():
        for node in function.node_def:
            yield name, node


def called(node: Any) -> Iterator[str]:
    """Names of what a node may call: its op, and functions in its attributes."""
    yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for function in value.list.func:
            yield function.name
