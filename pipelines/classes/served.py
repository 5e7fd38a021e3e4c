"""Features of a few new examples by the artifact of a run.

Its graph is the trained network, proved to be the same. To load the part of it that
gives features takes a third of the time in which Keras builds the network and the
input pipeline anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from pipelines.classes.finished import FinishedRun
from pipelines.data.images.encoded import sent_bytes
from pipelines.data.splits import Inputs, Series, Split
from pipelines.errors import ArtifactError, DataError
from pipelines.runs.folder import RunFolder
from pipelines.runtime.signals import obey
from pipelines.serving.artifact import open_verified
from pipelines.serving.naming import FEATURES
from pipelines.serving.server.scan.graph_walk import called, functions_of
from pipelines.serving.server.scan.ops import harmless_graph

_ROWS = 32

_logger = logging.getLogger("zootune")


def served_features(
    run: FinishedRun, splits: Mapping[str, Split]
) -> dict[str, np.ndarray] | None:
    """What the head reads of the examples of each split, float32 `[n, width]`.

    By the artifact of the run. None if that does not have to give the same as the
    trained network, because it is of another time, damaged, or in a shorter format, or
    if it cannot read one of the examples; then the network reads them.
    """
    folder = _artifact_of(run)
    if folder is None:
        return None
    try:
        with FeatureGraph(folder) as graph:
            read = {name: graph(split.inputs) for name, split in splits.items()}
    except (ArtifactError, DataError, tf.errors.OpError) as error:
        _logger.info("  not by the artifact: %s", error)
        return None
    # An example that the graph cannot read has zeros.
    is_read = all(features.any(axis=1).all() for features in read.values())
    return read if is_read else None


def _artifact_of(run: FinishedRun) -> Path | None:
    """The verified version that the report names, if it knows the same data."""
    name = Path(str(run.report.get("artifact", ""))).name
    try:
        version = open_verified(RunFolder(run.path).artifact_base / name)
    except (ArtifactError, OSError) as error:
        _logger.info("  not by the artifact: %s", error)
        return None
    manifest = version.manifest
    data = manifest.data["fingerprint"], run.report["data"]["fingerprint"]
    needs_modules = manifest.preprocessing.get("requires")
    if len(set(data)) > 1 or needs_modules or run.plan.precision != "float32":
        return None
    return version.path


class FeatureGraph:
    """The part of a SavedModel that gives features; a context, which frees it.

    Only what they need is taken from the file, and the graph is not optimized: that
    would take longer than it saves on fewer than a thousand examples.

    Raises:
        ArtifactError: if it has no such part, or ops that reach outside of it.
    """

    def __init__(self, folder: Path) -> None:
        harmless_graph(folder)
        model = saved_model_pb2.SavedModel.FromString(
            (folder / "saved_model.pb").read_bytes()
        )
        (meta_graph,) = model.meta_graphs
        if FEATURES not in meta_graph.signature_def:
            raise ArtifactError(
                f"{folder} has no signature '{FEATURES}'. Use one of `zoo train`."
            )
        signature = meta_graph.signature_def[FEATURES]
        ((self._takes, taken),) = signature.inputs.items()
        self._input, self._output = taken.name, signature.outputs["features"].name
        saver = meta_graph.saver_def
        names = [self._output, saver.restore_op_name, saver.filename_tensor_name]
        definition = _part_of(meta_graph, names)
        settings = _plain_settings()
        _run_plainly(definition, settings)
        self._graph = tf.Graph()
        with self._graph.as_default():
            tf.graph_util.import_graph_def(definition, name="")
        self._session = tf.compat.v1.Session(graph=self._graph, config=settings)
        variables = str(folder / "variables" / "variables")
        self._session.run(
            saver.restore_op_name, {saver.filename_tensor_name: variables}
        )

    def __enter__(self) -> FeatureGraph:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """The features of all examples in order, float32 `[n, width]`.

        Raises:
            DataError: if a file cannot be read.
        """
        rows = list(_as_sent(inputs))
        parts = [self._run(rows[:0])]
        for start in range(0, len(rows), _ROWS):
            obey()
            parts.append(self._run(rows[start : start + _ROWS]))
        return np.concatenate(parts)

    def _run(self, rows: list[Any]) -> np.ndarray:
        shape = self._graph.get_tensor_by_name(self._input).shape
        values: Any = np.array(rows, object) if self._takes != "series" else rows
        if not rows:
            values = np.zeros([0, *shape[1:]], np.float32 if shape[1:] else object)
        return self._session.run(self._output, {self._input: values})


def _as_sent(inputs: Inputs) -> Iterator[Any]:
    """Every example as a client sends it."""
    if isinstance(inputs, Series):
        return iter(inputs.values)
    return (sent_bytes(inputs, i) for i in range(len(inputs)))


def _plain_settings() -> tf.compat.v1.ConfigProto:
    settings = tf.compat.v1.ConfigProto()
    settings.graph_options.rewrite_options.disable_meta_optimizer = True
    settings.graph_options.optimizer_options.opt_level = (
        tf.compat.v1.OptimizerOptions.L0
    )
    return settings


def _part_of(meta_graph: Any, names: list[str]) -> tf.compat.v1.GraphDef:
    """The nodes that these need, and the functions that those call."""
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    functions = functions_of(meta_graph)
    needed = _reached(names, nodes)
    calls: set[str] = set()
    waiting = [nodes[name] for name in needed]
    while waiting:
        new = {name for name in called(waiting.pop()) if name in functions} - calls
        calls |= new
        waiting += [node for name in new for node in functions[name].node_def]
    part = tf.compat.v1.GraphDef(versions=meta_graph.graph_def.versions)
    part.node.extend(nodes[name] for name in sorted(needed))
    part.library.function.extend(functions[name] for name in sorted(calls))
    return part


def _reached(names: list[str], nodes: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().removeprefix("^").partition(":")[0]
        if name not in reached:
            reached.add(name)
            waiting += nodes[name].input
    return reached


def _run_plainly(definition: Any, settings: tf.compat.v1.ConfigProto) -> None:
    """Calls of functions have settings of their own, as bytes in their nodes."""
    inside = (node for part in definition.library.function for node in part.node_def)
    for node in (*definition.node, *inside):
        if "config_proto" in node.attr:
            node.attr["config_proto"].s = settings.SerializeToString()
