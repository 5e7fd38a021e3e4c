"""EfficientNet-Lite as a Keras functional model, and its published ImageNet weights.

EfficientNet-Lite is EfficientNet-B0 without squeeze-and-excite, with ReLU6, with stem
and head of fixed width and with first and last stage of fixed depth over all variants
(https://arxiv.org/abs/1905.11946).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
from keras import layers

from zoo.catalog.efficientnet_lite import STAGES, VARIANTS, block_depths
from zoo.errors import CorruptWeightsError
from zoo.spec import BackboneSpec
from zoo.weights.tensors import TensorFile
from zoo.weights.torch_file import read_torch_file

_DROP_CONNECT_RATE = 0.2
_STEM_WIDTH = 32
_CLASSIFIER = ("_fc.weight", "_fc.bias")


@dataclasses.dataclass(frozen=True)
class _Network:
    """The feature map, and which layer each prefix of the weight file fills."""

    features: keras.KerasTensor
    layers_by_prefix: dict[str, layers.Layer]


def network(
    spec: BackboneSpec, pixels: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature map `[batch, height, width, 1280]`."""
    built = _build(spec, pixels)
    if weights_file:
        _fill(built.layers_by_prefix, weights_file)
    return built.features


def source_classifier(weights_file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The dropped ImageNet classifier: kernel `[1280, 1000]` and bias `[1000]`."""
    tensors = read_torch_file(weights_file)
    kernel, bias = (tensors[name] for name in _CLASSIFIER)
    return kernel.T, bias


def _build(spec: BackboneSpec, pixels: keras.KerasTensor) -> _Network:
    variant = VARIANTS[spec.handle]
    filled: dict[str, layers.Layer] = {}

    def convolve(x, name, source, *, filters, kernel=1, strides=1, activate=True):
        """Convolution, BatchNorm and ReLU6; depthwise where `filters` is `None`."""
        options = {"padding": "same", "use_bias": False, "name": f"{name}_conv"}
        convolution = (
            layers.DepthwiseConv2D(kernel, strides, **options)
            if filters is None
            else layers.Conv2D(filters, kernel, strides, **options)
        )
        norm = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")
        filled[source[0]], filled[source[1]] = convolution, norm
        x = norm(convolution(x))
        return layers.ReLU(6.0, name=f"{name}_activation")(x) if activate else x

    x = convolve(
        pixels, "stem", ("_conv_stem", "_bn0"), filters=_STEM_WIDTH, kernel=3, strides=2
    )
    depths = block_depths(variant.depth)
    index, total = 0, sum(depths)
    for number, (stage, depth) in enumerate(zip(STAGES, depths), start=1):
        for position in range(depth):
            name, source = f"block{number}{chr(97 + position)}", f"_blocks.{index}"
            strides = stage.strides if position == 0 else 1
            filters = _round_filters(stage.filters * variant.width)
            skip, width = x, x.shape[-1]
            if stage.expansion > 1:
                x = convolve(
                    x,
                    f"{name}_expand",
                    (f"{source}._expand_conv", f"{source}._bn0"),
                    filters=width * stage.expansion,
                )
            x = convolve(
                x,
                f"{name}_depthwise",
                (f"{source}._depthwise_conv", f"{source}._bn1"),
                filters=None,
                kernel=stage.kernel,
                strides=strides,
            )
            x = convolve(
                x,
                f"{name}_project",
                (f"{source}._project_conv", f"{source}._bn2"),
                filters=filters,
                activate=False,
            )
            if strides == 1 and width == filters:
                x = layers.Dropout(
                    _DROP_CONNECT_RATE * index / total,
                    noise_shape=(None, 1, 1, 1),
                    name=f"{name}_drop",
                )(x)
                x = layers.Add(name=f"{name}_add")([skip, x])
            index += 1
    x = convolve(x, "final", ("_conv_head", "_bn1"), filters=spec.feature_width)
    return _Network(x, filled)


def _round_filters(filters: float) -> int:
    """The nearest multiple of 8 that is not more than 10 % smaller."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _fill(layers_by_prefix: dict[str, layers.Layer], weights_file: Path) -> None:
    """Sets every weight from the file, after all of them were seen to fit."""
    file = TensorFile(weights_file, read_torch_file(weights_file))
    used = set(_CLASSIFIER)
    values_by_prefix = {}
    for prefix, layer in layers_by_prefix.items():
        names = _tensor_names(prefix, layer)
        used |= {*names, f"{prefix}.num_batches_tracked"}
        values = [_to_keras(file.take(name), layer) for name in names]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [value.shape for value in values] != shapes:
            raise CorruptWeightsError(
                f"{weights_file} has shapes {[v.shape for v in values]} for '{prefix}',"
                f" expected {shapes}. It holds weights of another variant; nothing of"
                " it was used."
            )
        values_by_prefix[prefix] = values
    file.refuse_unused(used)
    for prefix, layer in layers_by_prefix.items():
        layer.set_weights(values_by_prefix[prefix])


def _tensor_names(prefix: str, layer: layers.Layer) -> list[str]:
    if isinstance(layer, layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [f"{prefix}.{part}" for part in parts]
    return [f"{prefix}.weight"]


def _to_keras(tensor: np.ndarray, layer: layers.Layer) -> np.ndarray:
    """Kernels come as `[out, in, h, w]`, depthwise ones as `[channels, 1, h, w]`."""
    if isinstance(layer, layers.DepthwiseConv2D):
        return tensor.transpose(2, 3, 0, 1)
    return tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor
