"""A reusable SavedModel on disk, opened: what to call, and which variables it has.

The interface that TF Hub published is `__call__`, with or without `training`, with
`variables`, `trainable_variables` and `regularization_losses` beside it
(https://www.tensorflow.org/hub/reusable_saved_models). Many SavedModels keep a part of
it; what they do not list is read from their functions.

A SavedModel is a program: open only the ones that you trust.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from zoo.errors import BackboneError

_FILE = "saved_model.pb"
_DEFAULT_SIGNATURE = "serving_default"
# The names of TF Hub, of `keras.Model.export`, and two of Keras' documentation.
_CALL_ENDPOINTS = ("__call__", "serve", "call_inference")
_TRAINING_ENDPOINT = "call_training"
_OPTIMIZER = "optimizer"
_PLAIN_OBJECT = "_generic_user_object"
# What TensorFlow 2.21 takes the path of variables for a pattern by.
_PATTERN = frozenset("*?[]{}\\")


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One way to call a function: its arguments, with a spec in place of the tensor.

    `outputs` are specs too, nested as the function gives its tensors. `unusual` counts
    the arguments besides `training` that are not what the function takes by default.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    input: tf.TensorSpec
    outputs: Any
    variables: tuple[tf.Variable, ...]
    training: object
    unusual: int

    def __call__(self, inputs: Any) -> Any:
        args, kwargs = tf.nest.map_structure(
            lambda leaf: inputs if isinstance(leaf, tf.TensorSpec) else leaf,
            (self.args, self.kwargs),
        )
        return self.function(*args, **kwargs)


@dataclasses.dataclass(frozen=True, eq=False)
class ReusableModel:
    """An opened module. `loaded` is what TensorFlow made of it.

    `training` is `None` where there is only one mode, which is inference. `trainable`
    is empty where there is only a signature, which promises nothing about training.
    """

    loaded: Any
    inference: Endpoint
    training: Endpoint | None
    trainable: tuple[tf.Variable, ...]
    fixed: tuple[tf.Variable, ...]
    losses: tuple[Callable[[], tf.Tensor], ...]


def open_model(
    path: Path,
    *,
    tags: Sequence[str] | None = None,
    call_endpoint: str | None = None,
    training_endpoint: str | None = None,
    signature: str | None = None,
) -> ReusableModel:
    """Opens the SavedModel in a folder.

    Left alone it takes the first of `__call__`, `serve` and `call_inference`, with
    `call_training` as the other mode of the last two, or else a signature.

    Raises:
        BackboneError: if TensorFlow 2 can read no SavedModel there, if it has several
            MetaGraphs and no `tags` choose one, or if it lacks what was named.
    """
    loaded = _load(path, tags)
    name = None if signature else _endpoint_name(loaded, call_endpoint, path)
    if name is None:
        inference = _signature(loaded, signature, path)
        return ReusableModel(loaded, inference, None, (), inference.variables, ())
    modes = _modes(getattr(loaded, name), name, path)
    inference = next((mode for mode in modes if mode.training is not True), modes[0])
    training = next((mode for mode in modes if mode.training is True), None)
    named = training_endpoint or _TRAINING_ENDPOINT
    if training_endpoint or _is_saved(getattr(loaded, named, None)):
        _require_endpoint(loaded, named, path)
        training = _modes(getattr(loaded, named), named, path)[0]
    trainable, fixed = _variables(
        loaded, [inference, *([training] if training else ())]
    )
    losses = tuple(getattr(loaded, "regularization_losses", None) or ())
    return ReusableModel(loaded, inference, training, trainable, fixed, losses)


def _load(path: Path, tags: Sequence[str] | None) -> Any:
    saved = _read(path)
    graph = _meta_graph(saved, tags, path)
    if not graph.HasField("object_graph_def"):
        raise BackboneError(
            f"The SavedModel in {path} is in the TF1 format: it has graphs and"
            " signatures but no objects, so it cannot be called or trained. Look for a"
            " TF2 version of it, or save it again with tf.saved_model.save."
        )
    has_optimizer = any(node.slot_variables for node in graph.object_graph_def.nodes)
    try:
        if has_optimizer or not _PATTERN.isdisjoint(str(path.absolute())):
            return _load_by_links(path, saved, tags)
        return tf.saved_model.load(str(path), tags=tags)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise BackboneError(
            f"TensorFlow cannot read the SavedModel in {path}: {error}"
        ) from error


def _read(path: Path) -> saved_model_pb2.SavedModel:
    if not (path / _FILE).is_file():
        inside = (
            sorted(entry.name for entry in path.iterdir())[:5] if path.is_dir() else []
        )
        raise BackboneError(
            f"There is no SavedModel in {path}: it has no {_FILE}, only {inside}."
        )
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((path / _FILE).read_bytes())
    except DecodeError as error:
        raise BackboneError(
            f"{path / _FILE} is damaged or no SavedModel: {error}."
        ) from error
    if not saved.meta_graphs:
        raise BackboneError(f"{path / _FILE} is empty: it has no MetaGraph.")
    return saved


def _meta_graph(
    saved: saved_model_pb2.SavedModel, tags: Sequence[str] | None, path: Path
) -> Any:
    tag_sets = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    if tags is None and len(tag_sets) == 1:
        return saved.meta_graphs[0]
    if tags is None or sorted(tags) not in tag_sets:
        raise BackboneError(
            f"The SavedModel in {path} has {len(tag_sets)} MetaGraphs, with the tags"
            f" {tag_sets}, and tags={tags} chooses none. Give the tags of one:"
            f" SavedModelLayer(handle, tags={tag_sets[0]})."
        )
    return saved.meta_graphs[tag_sets.index(sorted(tags))]


def _load_by_links(
    path: Path, saved: saved_model_pb2.SavedModel, tags: Sequence[str] | None
) -> Any:
    """Opens what a compiled tf_keras model left, whose optimizer only that can read.

    TensorFlow opens folders, so it gets one with links to everything but the graph.
    Its path is plain, too: of one with brackets, TensorFlow finds no variables.
    """
    for graph in saved.meta_graphs:
        for node in graph.object_graph_def.nodes:
            del node.slot_variables[:]
            if node.user_object.identifier == _OPTIMIZER:
                node.user_object.identifier = _PLAIN_OBJECT
    folder = Path(tempfile.mkdtemp(prefix="zootune-"))
    try:
        (folder / _FILE).write_bytes(saved.SerializeToString())
        for entry in path.iterdir():
            if entry.name != _FILE:
                (folder / entry.name).symlink_to(entry.absolute())
        loaded = tf.saved_model.load(str(folder), tags=tags)
    except BaseException:
        shutil.rmtree(folder)
        raise
    # An export reads the assets again, so they stay for as long as the module.
    weakref.finalize(loaded, shutil.rmtree, folder, ignore_errors=True)
    return loaded


def _endpoint_name(loaded: Any, endpoint: str | None, path: Path) -> str | None:
    if endpoint:
        _require_endpoint(loaded, endpoint, path)
        return endpoint
    names = (n for n in _CALL_ENDPOINTS if _is_saved(getattr(loaded, n, None)))
    return next(names, None)


def _require_endpoint(loaded: Any, name: str, path: Path) -> None:
    if not _is_saved(getattr(loaded, name, None)):
        there = [n for n in dir(loaded) if _is_saved(getattr(loaded, n, None))]
        raise BackboneError(
            f"The SavedModel in {path} has no endpoint '{name}'. It has {there}."
        )


def _is_saved(function: object) -> bool:
    """True for a function that came with a graph."""
    return bool(getattr(function, "concrete_functions", ()))


def _signature(loaded: Any, endpoint: str | None, path: Path) -> Endpoint:
    names = list(loaded.signatures)
    only = names[0] if len(names) == 1 else _DEFAULT_SIGNATURE
    name = endpoint or only
    if name not in names:
        raise BackboneError(
            f"The SavedModel in {path} has no signature '{name}' and no function to"
            f" call. Its signatures are {names}."
        )
    concrete = loaded.signatures[name]
    return _endpoint(concrete, concrete, {}, f"signature '{name}'", path)


def _modes(function: Any, name: str, path: Path) -> list[Endpoint]:
    """The ways to call a function, the nearest to its defaults first.

    Of two that are as near, the one that leaves more dimensions open comes first.
    """
    defaults = function.function_spec.default_values
    modes = [
        _endpoint(function, concrete, defaults, f"function '{name}'", path)
        for concrete in function.concrete_functions
    ]
    return sorted(modes, key=lambda mode: (mode.unusual, -_open_dimensions(mode.input)))


def _endpoint(
    function: Callable[..., Any],
    concrete: Any,
    defaults: Mapping[str, Any],
    name: str,
    path: Path,
) -> Endpoint:
    args, kwargs = concrete.structured_input_signature
    values = {**dict(zip(concrete.function_type.parameters, args)), **kwargs}
    tensors = [k for k in values if _has_tensor(values[k])]
    # The modules of TF Hub take the momentum of their BatchNorm as a second tensor.
    subject = next((k for k in tensors if k not in defaults), (tensors or [None])[0])
    called = {
        k: defaults[k] if k in tensors and k in defaults and k != subject else values[k]
        for k in values
    }
    leaves = [x for x in tf.nest.flatten(called) if isinstance(x, tf.TypeSpec)]
    if len(leaves) != 1 or not isinstance(leaves[0], tf.TensorSpec):
        raise BackboneError(
            f"The {name} of the SavedModel in {path} takes {len(leaves)} tensors;"
            f" expected one. They are {tensors}."
        )
    names = list(called)[: len(args)]
    ordinary = called.keys() - {"training", *tensors}
    return Endpoint(
        function=function,
        args=tuple(called[k] for k in names),
        kwargs={k: v for k, v in called.items() if k not in names},
        input=leaves[0],
        outputs=concrete.structured_outputs,
        variables=_distinct(concrete.variables),
        training=called.get("training"),
        unusual=sum(k in defaults and called[k] != defaults[k] for k in ordinary),
    )


def _has_tensor(argument: Any) -> bool:
    return any(isinstance(leaf, tf.TypeSpec) for leaf in tf.nest.flatten(argument))


def _open_dimensions(spec: tf.TensorSpec) -> float:
    return float("inf") if spec.shape.rank is None else list(spec.shape).count(None)


def _variables(
    loaded: Any, endpoints: Sequence[Endpoint]
) -> tuple[tuple[tf.Variable, ...], tuple[tf.Variable, ...]]:
    """Trainable and other variables, which the module lists or only uses."""
    used = [v for endpoint in endpoints for v in endpoint.variables]
    listed = list(getattr(loaded, "variables", None) or ())
    every = _distinct([*listed, *used])
    named = getattr(loaded, "trainable_variables", None)
    candidates = {id(v) for v in (every if named is None else named)}
    trainable = [
        v for v in every if id(v) in candidates and v.trainable and v.dtype.is_floating
    ]
    chosen = {id(v) for v in trainable}
    return tuple(trainable), tuple(v for v in every if id(v) not in chosen)


def _distinct(variables: Iterable[tf.Variable]) -> tuple[tf.Variable, ...]:
    return tuple({id(v): v for v in variables}.values())
