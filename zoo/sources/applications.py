"""Builds the networks of Keras Applications."""

from __future__ import annotations

from pathlib import Path

import keras

from zoo import weights
from zoo.errors import BackboneError, CorruptWeightsError
from zoo.spec import BackboneSpec


def network(
    spec: BackboneSpec, pixels: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature map of the application that `spec.handle` names."""
    # Given "imagenet", MobileNet and MobileNetV2 fetch an unverified file of another
    # size; so only the networks whose graph depends on the word are given it.
    by_keras = weights_file is not None and spec.weights_change_graph
    if by_keras and weights_file:
        weights.offer_to_keras(weights_file)
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
    return application.output


def _fill(application: keras.Model, weights_file: Path) -> None:
    try:
        application.load_weights(weights_file)
    except (ValueError, OSError, KeyError) as error:
        raise CorruptWeightsError(
            f"{weights_file} does not hold the weights of {application.name}: {error}."
            " Delete it and fetch it again."
        ) from error
