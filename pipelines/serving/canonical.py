"""A SavedModel whose bytes follow from what it computes, and from nothing else.

TensorFlow names functions after a counter of the process and stores them in an order of
its own; what else happened in the process shows. Loading goes by names that agree with
each other, whatever they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
from tensorflow.python.saved_model import fingerprinting_utils

_SAVED_MODEL = "saved_model.pb"
_FINGERPRINT = "fingerprint.pb"
# What a process counts, behind the name of a function.
_COUNTERS = re.compile(r"(_\d+)+$")
# Names the gradient of a call after the same counter; loading sets it anew.
_GRADIENT = "_gradient_op_type"
# Where a function has it from outside, and nobody named it, a number of that counter.
_GIVEN_NAME, _UNNAMED = "_user_specified_name", b"captured"
# What the condition of a loop is given and does not read is named after a function.
_UNREAD = re.compile(r"_\d+(?=___redundant_placeholder\d+$)")
_Names = Callable[[str], str]


def rewrite(folder: Path) -> None:
    """Writes `saved_model.pb` and `fingerprint.pb` anew, with the same meaning."""
    path = folder / _SAVED_MODEL
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in saved.meta_graphs:
        _rename(meta_graph)
    path.write_bytes(saved.SerializeToString(deterministic=True))
    _write_fingerprint(folder)


def _write_fingerprint(folder: Path) -> None:
    """Writes TensorFlow's fingerprint without the random number in it."""
    path = folder / _FINGERPRINT
    path.unlink(missing_ok=True)
    fingerprinting_utils.write_fingerprint(str(folder))
    if not path.is_file():  # it could not be made, which TensorFlow only warns of
        return
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
    digest = hashlib.sha256((folder / _SAVED_MODEL).read_bytes()).hexdigest()
    fingerprint.uuid = str(int(digest[:16], 16))
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _rename(meta_graph: Any) -> None:
    library = meta_graph.graph_def.library
    names = _new_names(meta_graph)

    def new(name: str) -> str:
        return names.get(name, name)

    for function in library.function:
        function.signature.name = new(function.signature.name)
        _rename_in(function.node_def, new)
        for value in function.attr.values():
            _rename_value(value, new)
        for argument in function.signature.input_arg:
            argument.name = _UNREAD.sub("", argument.name)
        for argument in function.arg_attr.values():
            _rename_given(argument.attr)
    _rename_in(meta_graph.graph_def.node, new)
    for gradient in library.gradient:
        gradient.function_name = new(gradient.function_name)
        gradient.gradient_func = new(gradient.gradient_func)
    for gradient in library.registered_gradients:
        gradient.gradient_func = new(gradient.gradient_func)
    ordered = sorted(library.function, key=lambda function: function.signature.name)
    ordered = [type(f).FromString(f.SerializeToString()) for f in ordered]
    del library.function[:]
    library.function.extend(ordered)
    _rename_keys(meta_graph.meta_info_def.function_aliases, new)
    objects = meta_graph.object_graph_def
    for key in list(objects.concrete_functions):
        if new(key) != key:
            objects.concrete_functions[new(key)].CopyFrom(
                objects.concrete_functions[key]
            )
            del objects.concrete_functions[key]
    for node in objects.nodes:
        kind = node.WhichOneof("kind")  # to write another would change it
        if kind == "function":
            renamed = [new(name) for name in node.function.concrete_functions]
            node.function.concrete_functions[:] = renamed
        elif kind == "bare_concrete_function":
            bare = node.bare_concrete_function
            bare.concrete_function_name = new(bare.concrete_function_name)


def _rename_keys(aliases: Any, new: _Names) -> None:
    for key in list(aliases):
        if new(key) != key:
            aliases[new(key)] = aliases[key]
            del aliases[key]


def _new_names(meta_graph: Any) -> dict[str, str]:
    """A name for each function by when it is first met: from the main graph inwards,
    and then from what an object offers."""
    functions = {f.signature.name: f for f in meta_graph.graph_def.library.function}
    objects = meta_graph.object_graph_def
    offered = [
        name
        for node in objects.nodes
        for name in (
            *node.function.concrete_functions,
            node.bare_concrete_function.concrete_function_name,
        )
    ]
    todo = [*_called(meta_graph.graph_def.node), *offered]
    met: dict[str, None] = {}
    while todo:
        name = todo.pop(0)
        if name in functions and name not in met:
            met[name] = None
            todo.extend(_called(functions[name].node_def))
    # Nobody calls these: in the order of their names without counters.
    others = sorted(set(functions) - set(met), key=lambda name: (_base(name), name))
    return {
        name: f"{_base(name)}_{i}" for i, name in enumerate((*met, *others), start=1)
    }


def _base(name: str) -> str:
    return _COUNTERS.sub("", name)


def _called(nodes: Iterable[Any]) -> Iterator[str]:
    """The functions that nodes call or hand on, in their order."""
    for node in nodes:
        yield node.op
        for key in sorted(node.attr):
            value = node.attr[key]
            yield value.func.name
            for function in value.list.func:
                yield function.name


def _rename_in(nodes: Iterable[Any], new: _Names) -> None:
    for node in nodes:
        node.op = new(node.op)
        _rename_given(node.attr)
        for key, value in node.attr.items():
            if key == _GRADIENT:
                value.s = node.op.encode()
            else:
                _rename_value(value, new)


def _rename_given(attributes: Any) -> None:
    if _GIVEN_NAME in attributes and attributes[_GIVEN_NAME].s.isdigit():
        attributes[_GIVEN_NAME].s = _UNNAMED


def _rename_value(value: Any, new: _Names) -> None:
    kind = value.WhichOneof("value")
    if kind == "func":
        value.func.name = new(value.func.name)
        for inner in value.func.attr.values():
            _rename_value(inner, new)
    elif kind == "s":
        text = value.s.decode("utf-8", "replace")
        if new(text) != text:
            value.s = new(text).encode()
    elif kind == "list":
        for function in value.list.func:
            function.name = new(function.name)
