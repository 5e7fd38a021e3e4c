"""Builds the networks of Keras Applications."""

from __future__ import annotations

from pathlib import Path

import keras

from zoo.errors import BackboneError, CorruptWeightsError
from zoo.graph.preprocessing import PixelNormalization
from zoo.spec import BackboneSpec
from zoo.weights import files


def network(
    spec: BackboneSpec, pixels: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature map of the application that `spec.handle` names."""
    # Given "imagenet", MobileNet and MobileNetV2 fetch an unverified file of another
    # size; so only the networks whose graph depends on the word are given it.
    by_keras = weights_file is not None and spec.weights_change_graph
    if by_keras and weights_file:
        files.offer_to_keras(weights_file)
    constructor = getattr(keras.applications, spec.handle)
    try:
        application = constructor(
            include_top=False,
            weights="imagenet" if by_keras else None,
            input_tensor=pixels,
            input_shape=tuple(pixels.shape[1:]),
        )
    except ValueError as error:
        raise BackboneError(
            f"Keras cannot build {spec.handle} for images of {pixels.shape[1]} px:"
            f" {error} It takes {spec.input}."
        ) from error
    if weights_file and not by_keras:
        _fill(application, weights_file)
    if any(map(_is_depthwise, application.layers)):
        return _with_depthwise_layers(application)
    return application.output


def _fill(application: keras.Model, weights_file: Path) -> None:
    try:
        application.load_weights(weights_file)
    except (ValueError, OSError, KeyError) as error:
        raise CorruptWeightsError(
            f"{weights_file} does not hold the weights of {application.name}: {error}."
            " Delete it and fetch it again."
        ) from error


def _with_depthwise_layers(application: keras.Model) -> keras.KerasTensor:
    """The same function, with the layers that are meant for depthwise convolutions.

    ConvNeXt has Conv2D layers with a group for each channel. On a CPU TensorFlow must
    compile those with XLA, also in an export: that takes seconds for each shape, and
    servers without XLA fail.
    """
    cloned = keras.models.clone_model(
        application, input_tensors=application.input, clone_function=_cloned
    )
    for layer, clone in zip(application.layers, cloned.layers):
        values = layer.get_weights()
        if _is_depthwise(layer):
            # `[height, width, 1, channels]` to `[height, width, channels, 1]`
            values[0] = values[0].swapaxes(2, 3)
        clone.set_weights(values)
    return cloned.output


def _is_depthwise(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Conv2D) and 1 < layer.groups == layer.filters


def _cloned(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, PixelNormalization):  # it is ours, and comes before
        return layer
    config = layer.get_config()
    if not _is_depthwise(layer):
        return type(layer).from_config(config)
    kept = ("name", "kernel_size", "strides", "padding", "use_bias", "dtype")
    return keras.layers.DepthwiseConv2D(**{key: config[key] for key in kept})
