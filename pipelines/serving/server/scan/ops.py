"""Refuses the ops of a SavedModel that reach outside, before it is loaded.

A SavedModel is a program. This finds the ops that reach outside of it: files, network,
Python. It is not a sandbox: the ops that stay are C++ code that reads untrusted bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from pipelines.errors import ArtifactError
from pipelines.serving.server.scan.graph_walk import called, functions_of, nodes_of
from pipelines.serving.server.scan.own_files import OwnFiles

SERVE = "serve"

# Stateful ops whose state is inside of the process, by what they are for. Every other
# stateful op is refused.
_HARMLESS_STATE = re.compile(
    "|".join(
        (
            # Calls and branches; what they call is looked at by itself.
            "StatefulPartitionedCall|If|Case|While|Assert|CheckNumerics(V2)?",
            "GuaranteeConst|DeepCopy|Empty|Timestamp|StatelessRandomGetAlg|DeviceIndex",
            # Variables.
            "VarHandleOp|ReadVariableOp|VarIsInitializedOp|Variable(V2|Shape)?",
            "Assign(Add|Sub)?VariableOp|DestroyResourceOp|DisableCopyOnRead",
            "TemporaryVariable|Resource(Gather|Scatter|Apply|SparseApply|Strided)\\w*",
            # Tables and stacks.
            "(Anonymous)?(Mutable)?(Dense)?HashTable(OfTensors)?(V2)?",
            "LookupTable(Export|Find|Import|Insert|Remove|Size)V2|InitializeTableV2",
            "Stack(Close|Pop|Push)?(V2)?|TensorArray\\w*|MutexV2|MutexLock",
            # Random numbers.
            "Random(Crop|Gamma|Poisson(V2)?|Shuffle|StandardNormal|Uniform(Int)?)",
            "Stateful(RandomBinomial|StandardNormal(V2)?|TruncatedNormal|Uniform\\w*)",
            "(Parameterized)?TruncatedNormal|Multinomial|NonDeterministicInts|RngSkip",
            "RngReadAndSkip|\\w+CandidateSampler|SampleDistortedBoundingBox(V2)?",
            "(Anonymous|Delete|Dummy)(RandomSeed|Seed)Generator",
            # Data sets that come from tensors, and how they are read.
            "(Tensor|TensorSlice|SparseTensorSlice|Range|Random|Reduce)Dataset(V2)?",
            "Shuffle(AndRepeat)?DatasetV[23]|DatasetToSingleElement|ThreadPool\\w+",
            "(Anonymous|MultiDevice|Make|Delete|OneShot)?Iterator(V[23]|GetNext\\w*)?",
            # Networks in one kernel.
            "CudnnRNN(V[23])?|Sentencepiece\\w+",
            "WordpieceTokenizeWithOffsets",
        )
    )
)
# Ops that are refused although TensorFlow calls them stateless: they read files, run
# Python, talk to other processes, or run a graph that is hidden in a string.
_REACHES_OUT = re.compile(
    "_.*|ReadFile|MatchingFiles|InitializeTableFromTextFile|PyFuncStateless|Reader\\w+"
    "|(Experimental)?CacheDataset|\\w*Snapshot\\w*|DatasetFromGraph|Copy|CopyHost"
    "|Debug(Identity|NanCount|NumericSummary)|\\w*DataService\\w*|Remote\\w*|Rpc\\w*"
    "|\\w*FileSystem\\w*"
)


def harmless_graph(folder: Path, *, allowed: Collection[str] = ()) -> Any:
    """The `MetaGraphDef` of a SavedModel, read and not loaded.

    Raises:
        ArtifactError: if it cannot be read, or has ops or assets outside of itself.
    """
    meta_graph = _read(folder)
    outside = outside_assets(meta_graph)
    if outside:
        raise ArtifactError(f"{folder} names assets outside of itself: {outside}.")
    refused = refused_ops(meta_graph, allowed=allowed)
    if refused:
        listed = ", ".join(f"{op} in {where}" for op, where in sorted(refused.items()))
        raise ArtifactError(
            f"{folder} has ops that reach outside of the model: {listed}. It was not"
            " loaded. If you trust who made it, serve it with:"
            f" --allow-ops {','.join(sorted(refused))}"
        )
    return meta_graph


def _read(folder: Path) -> Any:
    path = folder / "saved_model.pb"
    try:
        saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error
    for meta_graph in saved.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == {SERVE}:
            return meta_graph
    tags = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    raise ArtifactError(f"{path} has no graph with the tag {SERVE!r}; it has {tags}.")


def refused_ops(meta_graph: Any, *, allowed: Collection[str] = ()) -> dict[str, str]:
    """The ops of a `MetaGraphDef` that reach outside, and where the first one is.

    Ops that save and restore variables are in every SavedModel. They are passed where
    nothing but the saver reaches them, which loading does not run. So are ops that fill
    a table from a file, where that can only be an asset of the SavedModel.
    """
    functions = functions_of(meta_graph)
    own_files = OwnFiles(meta_graph)
    places: dict[str, str] = {}
    for function, node in _without_saver(meta_graph):
        if node.op in allowed or node.op in places:
            continue
        if not _is_refused(node.op, functions):
            continue
        if not own_files.are_all_it_reads(function, node):
            places[node.op] = f"function {function}" if function else "the main graph"
    return places


def outside_assets(meta_graph: Any) -> list[str]:
    """Asset files that a SavedModel names and that are not in its own folder."""
    return [
        asset.filename
        for asset in meta_graph.asset_file_def
        if (path := PurePosixPath(asset.filename)).is_absolute() or ".." in path.parts
    ]


def _is_refused(op: str, functions: Collection[str]) -> bool:
    if op in functions:  # a call by the function's own name
        return False
    known = op_def_registry.get(op)
    if known is None or _REACHES_OUT.fullmatch(op):
        return True
    return known.is_stateful and not _HARMLESS_STATE.fullmatch(op)


def _without_saver(meta_graph: Any) -> Iterator[tuple[str | None, Any]]:
    """Every node, except where nothing but the saver reaches it."""
    nodes, functions = _saver_nodes(meta_graph), _saver_functions(meta_graph)
    for function, node in nodes_of(meta_graph):
        saves = node.name in nodes if function is None else function in functions
        if not saves:
            yield function, node


def _saver_nodes(meta_graph: Any) -> set[str]:
    saver = meta_graph.saver_def
    named = (saver.save_tensor_name, saver.restore_op_name)
    return {name.split(":")[0] for name in named if name}


def _saver_functions(meta_graph: Any) -> set[str]:
    """Functions that only the saver calls, at any depth."""
    functions = functions_of(meta_graph)
    savers = _saver_nodes(meta_graph)
    called_by_saver: set[str] = set()
    called_otherwise = {
        name
        for node in meta_graph.object_graph_def.nodes
        for name in _object_functions(node)
    }
    for node in meta_graph.graph_def.node:
        into = called_by_saver if node.name in savers else called_otherwise
        into.update(called(node))
    return _reached(called_by_saver, functions) - _reached(called_otherwise, functions)


def _object_functions(node: Any) -> Iterator[str]:
    """Functions that an object offers to whoever loads it, and to the loader."""
    yield from node.function.concrete_functions
    yield node.bare_concrete_function.concrete_function_name


def _reached(names: Collection[str], functions: dict[str, Any]) -> set[str]:
    todo, seen = list(names), set()
    while todo:
        name = todo.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            todo.extend(called(node))
    return seen
