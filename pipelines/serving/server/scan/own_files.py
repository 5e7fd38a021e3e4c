"""Ops of a SavedModel that can read its own assets and no other file.

A table of words is filled by an op that would read any file. It is harmless where its
file name can be nothing but an asset of the SavedModel, whose place is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.serving.server.scan.graph_walk import called, functions_of, nodes_of

# Position of the file name among the inputs of an op.
_FILE_NAME = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1}
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class OwnFiles:
    """Follows the file names of a `MetaGraphDef` back to where they come from."""

    def __init__(self, meta_graph: Any):
        self._meta_graph = meta_graph
        self._main = {node.name: node for node in meta_graph.graph_def.node}
        self._functions = functions_of(meta_graph)
        self._assets = {
            asset.tensor_info.name.split(":")[0] for asset in meta_graph.asset_file_def
        }
        # By function and name. A node that is met again on the way counts as False: so
        # a cycle ends, and no graph takes longer than its size.
        self._known: dict[tuple[str | None, str], bool] = {}

    def are_all_it_reads(self, function: str | None, node: Any) -> bool:
        """True if a node, of a function or of the main graph, reads assets alone."""
        position = _FILE_NAME.get(node.op)
        if position is None or len(node.input) <= position:
            return False
        try:
            return self._is_asset(function, node.input[position])
        except (IndexError, RecursionError):  # nothing that TensorFlow has written
            return False

    def _is_asset(self, function: str | None, tensor: str) -> bool:
        at = function, tensor.split(":")[0]
        if at not in self._known:
            self._known[at] = False
            self._known[at] = self._comes_from_one(*at)
        return self._known[at]

    def _comes_from_one(self, function: str | None, name: str) -> bool:
        nodes = self._main
        if function is not None:
            definition = self._functions[function]
            arguments = [argument.name for argument in definition.signature.input_arg]
            if name in arguments:
                return self._is_always_passed_one(function, arguments.index(name))
            nodes = {node.name: node for node in definition.node_def}
        node = nodes.get(name)
        if node is not None and node.op == "Identity":
            return self._is_asset(function, node.input[0])
        return function is None and node is not None and self._holds_one(node)

    def _holds_one(self, node: Any) -> bool:
        """True if a node of the main graph has the path of an asset from the loader."""
        # Not a constant: where the loader puts no path in its place, it has its own.
        if node.op == "Placeholder":
            return node.name in self._assets
        return node.op == "ReadVariableOp" and self._is_ever_assigned_one(
            node.input[0].split(":")[0]
        )

    def _is_ever_assigned_one(self, handle: str) -> bool:
        """True if a variable of the main graph holds assets and goes nowhere else."""
        assigned = []
        for node in self._main.values():
            if handle not in (name.split(":")[0] for name in node.input):
                continue
            if node.op == "AssignVariableOp":
                assigned.append(node.input[1])
            elif node.op not in ("ReadVariableOp", "VarIsInitializedOp"):
                return False
        return bool(assigned) and all(
            self._is_asset(None, tensor) for tensor in assigned
        )

    def _is_always_passed_one(self, function: str, index: int) -> bool:
        passed = [
            *self._passed_by_nodes(function, index),
            *self._passed_by_objects(function, index),
        ]
        return bool(passed) and all(passed)

    def _passed_by_nodes(self, function: str, index: int) -> Iterator[bool]:
        for caller, node in nodes_of(self._meta_graph):
            if function in called(node):
                calls = node.op in (*_CALLS, function) and index < len(node.input)
                yield calls and self._is_asset(caller, node.input[index])

    def _passed_by_objects(self, function: str, index: int) -> Iterator[bool]:
        """Arguments that the loader binds to objects of the model: the last ones."""
        objects = self._meta_graph.object_graph_def
        concrete = objects.concrete_functions.get(function)
        if concrete is not None:
            arguments = len(self._functions[function].signature.input_arg)
            bound = index - (arguments - len(concrete.bound_inputs))
            yield bound >= 0 and objects.nodes[concrete.bound_inputs[bound]].HasField(
                "asset"
            )
