"""The multiply-adds of one example, counted from the graph of a network.

Convolutions and matrix products count, as in papers: a bias, a normalisation or an
activation costs little beside them.
"""

from __future__ import annotations

import math

import keras
import tensorflow as tf


def multiply_adds(model: keras.Model) -> int | None:
    """The multiply-adds of one example in inference; None if a loop hides the number.

    Raises:
        ValueError: if a shape that is needed is not known in the graph.
    """
    inputs = model.input
    spec = tf.TensorSpec((1, *inputs.shape[1:]), inputs.dtype)
    call = tf.function(lambda inputs: model(inputs, training=False), jit_compile=False)
    return _of_graph(call.get_concrete_function(spec).graph)


def _of_graph(graph: tf.Graph) -> int | None:
    total = 0
    for operation in graph.get_operations():
        if operation.type in _INNER:
            name = operation.get_attr(_INNER[operation.type]).name
            inner = _of_graph(graph._get_function(name).graph)
            # How often a loop runs is not known; those of tokenizers multiply nothing.
            if inner is None or (inner and operation.type in _LOOPS):
                return None
            total += inner
        elif operation.type in _COUNTS:
            total += _COUNTS[operation.type](operation)
    return total


def _convolution(operation: tf.Operation) -> int:
    """The kernel is `[*window, channels in / groups, channels out]`."""
    kernel = operation.inputs[1].shape
    return _size(operation.outputs[0]) * math.prod(kernel[:-1])


def _depthwise(operation: tf.Operation) -> int:
    """The kernel is `[height, width, channels, multiplier]`."""
    height, width, _, _ = operation.inputs[1].shape
    return _size(operation.outputs[0]) * height * width


def _matrix_product(operation: tf.Operation) -> int:
    transposed = operation.get_attr(
        "transpose_a" if operation.type == "MatMul" else "adj_x"
    )
    shared = operation.inputs[0].shape[-2 if transposed else -1]
    return _size(operation.outputs[0]) * _known(shared, operation)


def _einsum(operation: tf.Operation) -> int:
    """Every index once: of the output, and of the sums."""
    inputs, _ = operation.get_attr("equation").decode().split("->")
    sizes: dict[str, int | None] = {}
    for letters, tensor in zip(inputs.split(","), operation.inputs):
        if "..." in letters:
            raise ValueError(f"The shape behind '...' of {operation.name} is not read.")
        sizes.update(zip(letters, _shape(tensor)))
    return math.prod(_known(size, operation) for size in sizes.values())


def _size(tensor: tf.Tensor) -> int:
    return math.prod(_known(size, tensor.op) for size in _shape(tensor))


def _shape(tensor: tf.Tensor) -> list[int | None]:
    """An unknown size counts as 1: the number of tokens of texts, for one example."""
    first, *others = tensor.shape
    return [first or 1, *others]


def _known(size: int | None, operation: tf.Operation) -> int:
    if size is None:
        raise ValueError(f"A shape of {operation.name} is not known in the graph.")
    return size


_COUNTS = {
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _matrix_product,
    "BatchMatMulV2": _matrix_product,
    "Einsum": _einsum,
}
_LOOPS = ("While", "StatelessWhile")
_INNER = {
    **dict.fromkeys(_LOOPS, "body"),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), "f"),
}
