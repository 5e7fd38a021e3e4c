"""Every node is met, with its function, and everything that it may call."""

from tensorflow.core.protobuf import meta_graph_pb2

from pipelines.serving.server.scan import graph_walk


def _graph():
    meta_graph = meta_graph_pb2.MetaGraphDef()
    node = meta_graph.graph_def.node.add(name="call", op="PartitionedCall")
    node.attr["f"].func.name = "first"
    node = meta_graph.graph_def.node.add(name="case", op="Case")
    for name in ("first", "second"):
        node.attr["branches"].list.func.add().name = name
        function = meta_graph.graph_def.library.function.add()
        function.signature.name = name
        function.node_def.add(name="inside", op="ReadFile")
    return meta_graph


def test_nodes_come_with_their_function():
    nodes = [(place, node.op) for place, node in graph_walk.nodes_of(_graph())]
    assert nodes == [
        (None, "PartitionedCall"),
        (None, "Case"),
        ("first", "ReadFile"),
        ("second", "ReadFile"),
    ]


def test_calls_are_in_attributes_and_their_lists():
    call, case = _graph().graph_def.node
    assert list(graph_walk.called(call)) == ["PartitionedCall", "first"]
    assert list(graph_walk.called(case)) == ["Case", "first", "second"]
