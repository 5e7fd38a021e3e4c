"""Tables of words may be filled from a model's own assets, and from no other file."""

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from pipelines.errors import ArtifactError
from pipelines.serving.server.models import servable
from pipelines.serving.server.scan import ops
from pipelines.serving.server.settings import Loading
from tests.support.tiny_modules import save_text


def graph_of(folder):
    content = (folder / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]


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
