"""BatchNorm that stays as it is, computed as part of the convolution before it.

With statistics, scale and offset that do not change, BatchNorm multiplies each channel
by one number and adds another. A convolution with scaled filters and another offset is
the same function (https://arxiv.org/abs/1712.05877, section 3.2). Keras computes both
apart: each BatchNorm reads and writes a whole map, in float32 also where layers compute
in bfloat16. Folded, EfficientNet-Lite0 and ResNet50 take 20 to 30 percent less time for
a forward pass on a CPU, and ResNet50 40 percent less for a training step in bfloat16.

What is folded may be computed by several threads at once: see `Apart`.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from zoo.graph.blocks import nodes_in_graph_order
from zoo.graph.depthwise import trainable_depthwise_conv

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)

# A convolution, and the BatchNorm that reads nothing but what it gives.
_Pair = tuple[keras.layers.Layer, keras.layers.BatchNormalization]
_Make = Callable[[keras.layers.Layer, keras.layers.BatchNormalization], Any]


def folded(model: keras.Model, *, in_inference: bool = False) -> keras.Model:
    """The same function of the same weights, with frozen BatchNorm folded.

    Filters are scaled whenever the model is called, so that they train as before. Only
    BatchNorm whose `trainable` is false is folded; `in_inference` all of it, which
    holds for a model that is called with `training=False` and nothing else.

    Returns the model itself where nothing can be folded or is to be kept apart, and
    else a functional one.
    """
    make = functools.partial(FoldedConvolution, trains=not in_inference)
    return _rewired(model, make, all_at_rest=in_inference)


def folded_copy(model: keras.Model) -> keras.Model:
    """The same for inference alone, with all BatchNorm folded once and for all.

    Its convolutions have weights of their own, and do not follow those of the model.
    All other layers are the model's.
    """
    return _rewired(model, _ordinary, all_at_rest=True)


class FoldedConvolution(keras.layers.Layer):
    """A convolution and a BatchNorm at rest, by one convolution."""

    def __init__(
        self,
        convolution: keras.layers.Layer,
        norm: keras.layers.BatchNormalization,
        *,
        trains: bool,
    ) -> None:
        # A policy of its own, so that filters are scaled in float32 and then rounded:
        # under the convolution's policy Keras would give rounded ones.
        super().__init__(name=convolution.name, dtype="float32", autocast=False)
        self.convolution = convolution
        self.norm = norm
        self.trains = trains
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The convolution with the scaled kernel, plus the bias."""
        inputs, kernel, bias = (
            keras.ops.cast(tensor, self.convolution.compute_dtype)
            for tensor in (inputs, *_scaled(self.convolution, self.norm))
        )
        # Not `+`, which nothing computes together with the convolution.
        outputs = _convolve(self.convolution, inputs, kernel, trains=self.trains)
        return keras.ops.add(outputs, bias)


def _ordinary(
    convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization
) -> keras.layers.Layer:
    """A convolution of the same class with the outputs of both layers."""
    config = {**convolution.get_config(), "use_bias": True, "trainable": False}
    folded = type(convolution).from_config(config)
    folded.build(convolution.input.shape)
    kernel, bias = _scaled(convolution, norm)
    _kernel(folded).assign(kernel)
    folded.bias.assign(bias)
    if isinstance(convolution, _SEPARABLE):
        folded.depthwise_kernel.assign(convolution.depthwise_kernel)
    return folded


def _scaled(
    convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization
) -> tuple[Any, Any]:
    """The kernel and the bias with which the convolution gives what both give."""
    scale = keras.ops.rsqrt(norm.moving_variance + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma
    kernel = _kernel(convolution)
    # Of depthwise ones the last two axes are input channels and what each becomes.
    last = kernel.shape[-2:] if isinstance(convolution, _DEPTHWISE) else (-1,)
    offset = -norm.moving_mean
    if convolution.use_bias:
        offset = offset + convolution.bias
    bias = offset * scale
    if norm.center:
        bias = bias + norm.beta
    return kernel * keras.ops.reshape(scale, last), bias


def _kernel(convolution: keras.layers.Layer) -> keras.Variable:
    """The weight whose channels are the channels of the output."""
    if isinstance(convolution, _SEPARABLE):
        return convolution.pointwise_kernel
    return convolution.kernel


def _convolve(
    convolution: keras.layers.Layer, inputs: Any, kernel: Any, *, trains: bool
) -> Any:
    options = {
        "strides": convolution.strides,
        "padding": convolution.padding,
        "dilation_rate": convolution.dilation_rate,
        "data_format": convolution.data_format,
    }
    depthwise_conv = trainable_depthwise_conv if trains else keras.ops.depthwise_conv
    if isinstance(convolution, _DEPTHWISE):
        return depthwise_conv(inputs, kernel, **options)
    if isinstance(convolution, _SEPARABLE):
        depthwise = keras.ops.cast(convolution.depthwise_kernel, kernel.dtype)
        inputs = depthwise_conv(inputs, depthwise, **options)
        return keras.ops.conv(inputs, kernel, data_format="channels_last")
    return keras.ops.conv(inputs, kernel, **options)


class Apart(keras.layers.Layer):
    """The identity, so that an addition is not computed within a convolution.

    TensorFlow's convolution for CPUs (oneDNN) that also adds the skip connection
    notes its place in a field of its own. If two threads call the same graph, as
    passes and servers do, one of them then adds values of the other, or reads memory
    that is gone. No optimizer takes an `EnsureShape` away before that.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name, autocast=False)

    def call(self, inputs: Any) -> Any:
        """The inputs, behind an op that no optimizer takes away."""
        return tf.ensure_shape(inputs, inputs.shape)


def _rewired(model: keras.Model, make: _Make, *, all_at_rest: bool) -> keras.Model:
    nodes = nodes_in_graph_order(model)
    pairs = _pairs(model, nodes, all_at_rest=all_at_rest)
    sums = _sums(nodes)
    if not pairs and not sums:
        return model
    made = {id(convolution): make(convolution, norm) for convolution, norm in pairs}
    norms = {id(norm) for _, norm in pairs}
    # Not Keras' own name, which counts what the process has built and is written.
    times = sum(isinstance(node.operation, Apart) for node in nodes)
    apart = Apart(name=f"apart_{times}")

    def call(operation: keras.Operation, *inputs: Any, **options: Any) -> Any:
        if id(operation) in norms:
            return inputs[0]
        if id(operation) in sums:
            inputs = keras.tree.map_structure(apart, inputs)
        return made.get(id(operation), operation)(*inputs, **options)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )


def _sums(nodes: Sequence[Any]) -> set[int]:
    """The additions of two maps, in a network with convolutions.

    They are of `keras.layers` and, from `x + y`, of `keras.ops`, where it is private.
    """
    operations = [node.operation for node in nodes]
    if not any(
        isinstance(layer, (*_CONVOLUTIONS, *_DEPTHWISE)) for layer in operations
    ):
        return set()
    return {
        id(node.operation)
        for node in nodes
        if type(node.operation).__name__ == "Add" and len(node.input_tensors) > 1
    }


def _pairs(
    model: keras.Model, nodes: Sequence[Any], *, all_at_rest: bool
) -> Sequence[_Pair]:
    producer = {id(tensor): node for node in nodes for tensor in node.outputs}
    times_read = collections.Counter(
        id(tensor) for node in nodes for tensor in node.input_tensors
    )
    times_read.update(id(tensor) for tensor in keras.tree.flatten(model.output))
    times_called = collections.Counter(id(node.operation) for node in nodes)
    pairs = []
    for node in nodes:
        norm = node.operation
        if type(norm) is not keras.layers.BatchNormalization:
            continue
        (tensor_read,) = node.input_tensors
        before = producer[id(tensor_read)].operation
        if (
            (all_at_rest or not norm.trainable)
            and norm.axis in (-1, len(tensor_read.shape) - 1)
            and _can_take_one(before)
            and times_read[id(tensor_read)] == 1
            and times_called[id(norm)] == times_called[id(before)] == 1
        ):
            pairs.append((before, norm))
    return pairs


def _can_take_one(layer: keras.Operation) -> bool:
    return (
        type(layer) in (*_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE)
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and layer.padding != "causal"
        and not getattr(layer, "lora_enabled", False)
    )
