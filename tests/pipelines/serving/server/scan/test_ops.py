"""What a SavedModel may not do, found before it is loaded."""

import dataclasses
import shutil

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import pipelines
from pipelines.cli import main
from pipelines.errors import ArtifactError
from pipelines.serving import artifact as artifacts
from pipelines.serving.server.models import servable
from pipelines.serving.server.scan import ops
from pipelines.serving.server.settings import Loading
from tests.conformance import models
from tests.support.tiny_modules import save_text

TEXT = tf.TensorSpec([None], tf.string, name="x")


def saved(folder, function):
    """A SavedModel whose default signature is a function of strings."""

    class Module(tf.Module):
        @tf.function(input_signature=[TEXT])
        def serve(self, x):
            return {"y": function(x)}

    module = Module()
    tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.serve})
    return folder / "1"


def graph_of(folder):
    content = (folder / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]


def read_it(x):
    return tf.map_fn(tf.io.read_file, x)


def write_it(x):
    with tf.control_dependencies([tf.io.write_file("made-by-a-model", x[0])]):
        return tf.identity(x)


def list_it(x):
    return tf.io.matching_files(x)


def print_it(x):
    tf.print(x, output_stream="file://made-by-a-model")
    return tf.identity(x)


def python_it(x):
    return tf.py_function(lambda one: one, [x], tf.string)


def numpy_it(x):
    return tf.numpy_function(lambda one: one, [x], tf.string, stateful=False)


def restore_it(x):
    (found,) = tf.raw_ops.RestoreV2(
        prefix=x[0], tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.string]
    )
    return found


def save_it(x):
    tf.raw_ops.SaveV2(
        prefix=x[0], tensor_names=["a"], shape_and_slices=[""], tensors=[x]
    )
    return tf.identity(x)


def lines_of_it(x):
    return tf.data.TextLineDataset(x).batch(1000).get_single_element()


def cache_it(x):
    cached = tf.data.Dataset.from_tensor_slices(x).cache("made-by-a-model")
    return cached.batch(1000).get_single_element()


ATTACKS = {
    "ReadFile": read_it,
    "WriteFile": write_it,
    "MatchingFiles": list_it,
    "PrintV2": print_it,
    "EagerPyFunc": python_it,
    "PyFuncStateless": numpy_it,
    "RestoreV2": restore_it,
    "SaveV2": save_it,
    "TextLineDataset": lines_of_it,
    "CacheDatasetV2": cache_it,
}


@pytest.mark.parametrize("op", ATTACKS)
def test_what_reaches_outside_is_refused_by_name(tmp_path, monkeypatch, op):
    monkeypatch.chdir(tmp_path)
    folder = saved(tmp_path, ATTACKS[op])
    found = ops.refused_ops(graph_of(folder))
    assert op in found
    with pytest.raises(ArtifactError, match=rf"{op} in .*--allow-ops"):
        servable.load("model", folder, Loading())
    assert not (tmp_path / "made-by-a-model").exists()
    assert op not in ops.refused_ops(graph_of(folder), allowed={op})


def test_outside_reaching_artifact_is_not_evaluated(artifact, tmp_path, capsys):
    """Its manifest is right: whoever made the one has made the other."""
    folder = tmp_path / "1"
    shutil.copytree(artifact / "1", folder)
    evil = saved(tmp_path / "evil", read_it)
    shutil.copy(evil / "saved_model.pb", folder)
    manifest = artifacts.read_manifest(folder)
    files = artifacts.hash_files(folder)
    artifacts.write_manifest(folder, dataclasses.replace(manifest, files=files))
    with pytest.raises(ArtifactError, match="ReadFile in .*was not loaded"):
        pipelines.load(folder)
    assert main(["evaluate", str(folder), "--data", "builtin:digits?limit=40"]) == 4
    assert "ReadFile in" in capsys.readouterr().err


def test_op_allowed_by_name_is_loaded(tmp_path):
    folder = saved(tmp_path, list_it)
    allowed = Loading(allowed_ops=frozenset({"MatchingFiles"}))
    assert servable.load("model", folder, allowed).version == 1


@pytest.mark.parametrize("module", [models.Line(1.0, 2.0), models.Kinds()])
def test_ordinary_models_are_not_refused(tmp_path, module):
    models.save(module, tmp_path / "1")
    assert ops.refused_ops(graph_of(tmp_path / "1")) == {}


def test_an_artifact_is_not_refused(artifact):
    assert ops.refused_ops(graph_of(artifact / "1")) == {}


def test_tables_random_numbers_and_loops_are_not_refused(tmp_path):
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a"], ["b"]), ""
    )

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = table

        @tf.function(input_signature=[TEXT])
        def serve(self, x):
            noise = tf.random.uniform([], 0, 2, tf.int32)
            while noise < 5:
                noise += 1
            rows = tf.data.Dataset.from_tensor_slices(x).shuffle(8).batch(1000)
            return {"y": self.table.lookup(rows.get_single_element())}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.serve})
    assert ops.refused_ops(graph_of(tmp_path / "1")) == {}
    servable.load("model", tmp_path / "1", Loading())


def edited(folder, edit):
    """The same SavedModel, changed by `edit(meta_graph)`."""
    path = folder / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(content.meta_graphs[0])
    path.write_bytes(content.SerializeToString())
    return folder


def initializer_of(meta_graph):
    """The function that fills a table from a file, and the node that does."""
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            if node.op == "InitializeTableFromTextFileV2":
                return function, node
    raise AssertionError("no table is filled from a file")


def test_own_vocabulary_is_allowed(tmp_path):
    folder = save_text(tmp_path / "1")
    assert initializer_of(graph_of(folder))
    assert ops.refused_ops(graph_of(folder)) == {}
    servable.load("model", folder, Loading())
    again = tmp_path / "again" / "1"  # one function more around the first
    loaded = tf.saved_model.load(str(folder))
    tf.saved_model.save(loaded, str(again))
    assert ops.refused_ops(graph_of(again)) == {}


def name_another_file(meta_graph):
    function, node = initializer_of(meta_graph)
    path = function.node_def.add(name="path", op="Const")
    path.attr["value"].tensor.string_val.append(b"/etc/passwd")
    node.input[1] = "path:output:0"


def bind_a_variable(meta_graph):
    function, node = initializer_of(meta_graph)
    names = [one.name for one in function.signature.input_arg]
    objects = meta_graph.object_graph_def
    bound = objects.concrete_functions[function.signature.name].bound_inputs
    position = names.index(node.input[1])
    bound[position] = next(
        i for i, one in enumerate(objects.nodes) if one.HasField("variable")
    )


def let_a_request_name_it(meta_graph):
    function, _ = initializer_of(meta_graph)
    found = meta_graph.object_graph_def.concrete_functions[function.signature.name]
    del found.bound_inputs[:]


def call_it_with_another_file(meta_graph):
    function, _ = initializer_of(meta_graph)
    nodes = meta_graph.graph_def.node
    path = nodes.add(name="path", op="Const")
    path.attr["value"].tensor.string_val.append(b"/etc/passwd")
    call = nodes.add(name="call", op="StatefulPartitionedCall", input=["path", "path"])
    call.attr["f"].func.name = function.signature.name


def branch_to_it(meta_graph):
    function, _ = initializer_of(meta_graph)
    branch = meta_graph.graph_def.node.add(name="branch", op="If")
    branch.attr["then_branch"].func.name = function.signature.name


def assign_another_file(meta_graph):
    nodes = meta_graph.graph_def.node
    path = nodes.add(name="path", op="Const")
    path.attr["value"].tensor.string_val.append(b"/etc/passwd")
    handle = next(
        node.input[0]
        for node in nodes
        if node.op == "AssignVariableOp" and "asset_path" in node.input[1]
    )
    nodes.add(name="assign", op="AssignVariableOp", input=[handle, "path"])


def name_a_constant(meta_graph):
    """As a loader of the first version would find it."""
    for node in meta_graph.graph_def.node:
        if node.name == "asset_path_initializer":
            node.op = "Const"
            node.attr["value"].tensor.string_val.append(b"/etc/passwd")


def hide_it_behind_much(meta_graph):
    function, node = initializer_of(meta_graph)
    before = node.input[1]
    for i in range(3000):
        name = f"one_more_{i}"
        function.node_def.add(name=name, op="Identity", input=[before])
        before = f"{name}:output:0"
    node.input[1] = before


@pytest.mark.parametrize(
    "edit",
    [
        name_a_constant,
        hide_it_behind_much,
        name_another_file,
        bind_a_variable,
        let_a_request_name_it,
        call_it_with_another_file,
        branch_to_it,
        assign_another_file,
    ],
)
def test_table_from_any_file_is_refused(tmp_path, edit):
    folder = edited(save_text(tmp_path / "1"), edit)
    assert list(ops.refused_ops(graph_of(folder))) == ["InitializeTableFromTextFileV2"]
    with pytest.raises(ArtifactError, match="InitializeTableFromTextFileV2 in"):
        servable.load("model", folder, Loading())


@pytest.mark.parametrize(
    "op",
    ["WordpieceTokenizeWithOffsets", "SentencepieceOp", "RegexSplitWithOffsets"],
)
def test_ops_of_tensorflow_text_are_not_refused(op):
    pytest.importorskip("tensorflow_text")
    meta_graph = saved_model_pb2.SavedModel().meta_graphs.add()
    meta_graph.graph_def.node.add(name="tokens", op=op)
    assert ops.refused_ops(meta_graph) == {}
    meta_graph.graph_def.node.add(name="unknown", op="NobodyKnowsThisOp")
    assert ops.refused_ops(meta_graph) == {"NobodyKnowsThisOp": "the main graph"}


def test_assets_outside_of_the_folder_are_refused(tmp_path):
    models.save(models.Line(1.0, 2.0), tmp_path / "1")
    path = tmp_path / "1" / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    asset = content.meta_graphs[0].asset_file_def.add(filename="../../etc/passwd")
    path.write_bytes(content.SerializeToString())
    with pytest.raises(ArtifactError, match="assets outside of itself: .*etc/passwd"):
        servable.load("model", tmp_path / "1", Loading())
    asset.filename = "words.txt"
    path.write_bytes(content.SerializeToString())
    assert ops.outside_assets(graph_of(tmp_path / "1")) == []
