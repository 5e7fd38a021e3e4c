"""TF Hub modules and any other reusable SavedModel, as a backbone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.backend import import_ops
from zoo.errors import BackboneError
from zoo.saved_model.layer import SavedModelLayer, is_floating
from zoo.spec import (
    INSIDE,
    OUTPUT,
    ZERO_TO_ONE,
    BackboneSpec,
    Boundary,
    ImageInput,
    Input,
    InputSize,
    TextInput,
)

# The size most image modules of TF Hub were trained on; for modules of any size.
_USUAL_SIZE_PX = 224
_OUTPUT_KEYS = ("default", "feature_vector")
_BLOCK = "module"
# SPDX's word for a licence that nobody has looked up.
_UNKNOWN_LICENSE = "NOASSERTION"

Network = Callable[[BackboneSpec, keras.KerasTensor, Path | None], keras.KerasTensor]


def network(
    spec: BackboneSpec, inputs: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The features of the module that `spec.handle` names, with its weights.

    Raises:
        BackboneError: if it is not available, takes something else, or gives other
            features than the row says.
    """
    import_ops(spec.requires)
    layer = SavedModelLayer(spec.handle, name=_BLOCK)
    return _network(layer, spec, inputs, weights_file)


def from_handle(
    handle: str | Path, wanted_size: InputSize
) -> tuple[BackboneSpec, Network]:
    """The row that describes a module, measured, and the network that it opened.

    A module of strings is one of texts. Pixels are 0..1, which TF Hub asks of image
    modules, or 0..255 where the module takes whole numbers. For others, replace `input`
    and `name` in the row and `zoo.register` it.

    Raises:
        BackboneError: if it is not available, takes neither images nor texts, or gives
            neither a feature vector nor a feature map.
    """
    layer = SavedModelLayer(handle, name=_BLOCK)
    taken = _input_of(layer.module.inference.input, handle)
    features = _apply(
        layer.compute_output_spec, layer, _symbolic(taken, wanted_size), handle
    )
    spec = BackboneSpec(
        name="tfhub",
        source="tfhub",
        handle=layer.handle,
        input=taken,
        feature_width=features.shape[-1],
        parameters=layer.count_params(),
        blocks=(Boundary(_BLOCK, OUTPUT),),
        license=_UNKNOWN_LICENSE,
        paper="",
        carries_weights=True,
        trainable=bool(layer.module.trainable),
    )
    return spec, functools.partial(_network, layer)


def _network(
    layer: SavedModelLayer,
    spec: BackboneSpec,
    inputs: keras.KerasTensor,
    weights_file: Path | None,
) -> keras.KerasTensor:
    features = _apply(layer, layer, inputs, spec.handle)
    width = features.shape[-1]
    if width != spec.feature_width:
        raise BackboneError(
            f"The row '{spec.name}' says that features have width {spec.feature_width},"
            f" but {spec.handle} gives {width}."
        )
    if len(features.shape) == 4 or spec.modality == "text":
        return features
    # A map of one pixel: pooling it by average, by maximum or by flattening gives the
    # vector back, so heads need not know which of the two a backbone has.
    return keras.layers.Reshape((1, 1, width), name="feature_map")(features)


def _input_of(spec: tf.TensorSpec, handle: str | Path) -> Input:
    """The input contract of a module.

    Raises:
        BackboneError: if it takes neither square RGB images nor texts.
    """
    shape = spec.shape
    if spec.dtype == tf.string and shape.is_compatible_with([None]):
        return TextInput()
    is_number = spec.dtype.is_floating or spec.dtype.is_integer
    if not is_number or not shape.is_compatible_with([None, None, None, 3]):
        raise BackboneError(
            f"The module {handle} takes {spec.dtype.name} {_shown(shape)}, which are"
            " neither images [batch, height, width, 3] nor texts, strings [batch], so"
            " it cannot be a backbone."
        )
    height, width = (None, None) if shape.rank is None else shape[1:3]
    if height != width:
        raise BackboneError(
            f"The module {handle} takes images of {height} x {width} px; a backbone"
            " takes square ones."
        )
    return ImageInput(
        default_size_px=height or _USUAL_SIZE_PX,
        minimum_size_px=height or 1,
        pixels=ZERO_TO_ONE if spec.dtype.is_floating else INSIDE,
    )


def _symbolic(taken: Input, wanted_size: InputSize) -> keras.KerasTensor:
    if isinstance(taken, ImageInput):
        size = wanted_size.size_px or taken.default_size_px
        return keras.KerasTensor((None, size, size, 3))
    return keras.KerasTensor((None,), dtype="string")


def _apply(
    apply: Callable[[keras.KerasTensor], Any],
    layer: SavedModelLayer,
    inputs: keras.KerasTensor,
    handle: str | Path,
) -> keras.KerasTensor:
    """The features that the module gives for such inputs."""
    expected = layer.module.inference.input
    if not expected.shape.is_compatible_with(inputs.shape):
        raise BackboneError(
            f"The module {handle} takes only {expected.dtype.name}"
            f" {_shown(expected.shape)}, not {inputs.dtype} {_shown(inputs.shape)}."
            " Leave input_size_px out for its own size."
        )
    try:
        outputs = apply(inputs)
    except (ValueError, tf.errors.OpError) as error:
        raise BackboneError(
            f"The module {handle} fails for {inputs.dtype} {_shown(inputs.shape)}:"
            f" {error}"
        ) from error
    return _features(outputs, handle, of_texts=inputs.dtype == "string")


def _features(outputs: Any, handle: str | Path, *, of_texts: bool) -> keras.KerasTensor:
    """The one output that is a feature vector or, of images, a feature map."""
    features = _only_output(outputs)
    ranks = (2,) if of_texts else (2, 4)
    if features is None or not _is_feature(features, ranks):
        shapes = tf.nest.map_structure(lambda t: _shown(t.shape), outputs)
        or_map = (
            "" if of_texts else " or one feature map [batch, height, width, channels]"
        )
        raise BackboneError(
            f"The module {handle} gives {shapes}, but a backbone gives one feature"
            f" vector [batch, width]{or_map}. In a dictionary it is called"
            f" {' or '.join(_OUTPUT_KEYS)}."
        )
    return features


def _only_output(outputs: Any) -> keras.KerasTensor | None:
    if isinstance(outputs, dict):
        for key in _OUTPUT_KEYS:
            if key in outputs:
                return outputs[key]
    flat = tf.nest.flatten(outputs)
    return flat[0] if len(flat) == 1 else None


def _is_feature(tensor: keras.KerasTensor, ranks: tuple[int, ...]) -> bool:
    shape = tensor.shape
    return len(shape) in ranks and shape[-1] is not None and is_floating(tensor)


def _shown(shape: Iterable[int | None]) -> list[int | None] | str:
    is_open = isinstance(shape, tf.TensorShape) and shape.rank is None
    return "of any shape" if is_open else list(shape)
