"""Graphs as TensorFlow optimizes them before it computes."""

import contextlib

import tensorflow as tf
from tensorflow.python.eager import context


def adds_within_convolutions(function, inputs) -> int:
    """The number of convolutions of the optimized graph that also add another map."""
    with _metadata() as found:
        function(inputs)
    graphs = [one.post_optimization_graph for one in found[0].function_graphs]
    assert graphs
    return sum(
        b"Add" in node.attr["fused_ops"].list.s
        for graph in graphs
        for node in graph.node
    )


@contextlib.contextmanager
def _metadata():
    """Of the steps inside; no public name of TensorFlow 2 gives it for functions."""
    found = []
    context.enable_run_metadata()
    try:
        yield found
        found.append(context.export_run_metadata())
    finally:
        context.disable_run_metadata()


def called(model) -> tf.types.experimental.PolymorphicFunction:
    """A model as one graph, for inference."""
    spec = tf.TensorSpec((None, *model.input.shape[1:]), model.input.dtype)
    return tf.function(lambda x: model(x, training=False), input_signature=[spec])
