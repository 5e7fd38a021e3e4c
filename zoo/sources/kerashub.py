"""Presets of KerasHub, for images and for texts: networks with what prepares input."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import BackboneError
from zoo.graph import unfolding
from zoo.graph.boundaries import find_boundaries
from zoo.spec import (
    BackboneSpec,
    ImageInput,
    Input,
    InputSize,
    PixelConvention,
    TextInput,
    Tokenizer,
)
from zoo.tokenization.preset import preprocessor
from zoo.weights import kerashub_presets

# For presets that do not say which size they were trained on.
_USUAL_SIZE_PX = 224
# Presets do not say it: below, nothing is left of an image that is halved five times.
_MINIMUM_SIZE_PX = 32
# SPDX's word for a licence that nobody has looked up.
_UNKNOWN_LICENSE = "NOASSERTION"
_TEXT_INPUTS = {"token_ids", "padding_mask", "segment_ids"}

# A tensor of pixels, or tensors of tokens by name.
Prepared = Any
Network = Callable[[BackboneSpec, Prepared, Path | None], keras.KerasTensor]


@keras.saving.register_keras_serializable("zootune")
class PatchMap(keras.layers.Layer):
    """The tokens of a vision transformer, laid out as the patches lie in the image.

    Takes `[batch, marks + side * side, width]` and gives `[batch, side, side, width]`;
    with class tokens, `[batch, side, side, 2 * width]`, where each patch is followed by
    the first one. Classifiers of such networks were trained on that token alone, so
    that dropping it would throw away the best feature, and keeping nothing else would
    leave no map. Pooled by average this is the class token beside the mean of the
    patches, as in the linear probes of DINOv2 (https://arxiv.org/abs/2304.07193).
    """

    def __init__(self, *, side: int, **layer_options: object) -> None:
        super().__init__(**layer_options)
        self.side = side

    def build(self, input_shape: tuple[int | None, int, int]) -> None:
        """Counts the tokens before those of patches: an export may not know it."""
        self._marks = input_shape[1] - self.side**2

    def call(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        """The patches in their places, each followed by the class token if any."""
        width = tokens.shape[-1]
        shape = (-1, self.side, self.side, width)
        patches = ops.reshape(tokens[:, self._marks :], shape)
        if not self._marks:
            return patches
        mark = ops.reshape(tokens[:, :1], (-1, 1, 1, width))
        everywhere = ops.tile(mark, (1, self.side, self.side, 1))
        return ops.concatenate([patches, everywhere], axis=-1)

    def compute_output_shape(
        self, input_shape: tuple[int | None, int, int]
    ) -> tuple[int | None, int, int, int]:
        """`[batch, side, side, width]`, twice as wide with class tokens."""
        batch, count, width = input_shape
        has_marks = count > self.side**2
        return (batch, self.side, self.side, width * (2 if has_marks else 1))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "side": self.side}


def network(
    spec: BackboneSpec, prepared: Prepared, weights_file: Path | None
) -> keras.KerasTensor:
    """The features of the preset that `spec.handle` names, with its weights.

    Raises:
        BackboneError: if the preset is not available, or takes another input.
    """
    preset = kerashub_presets.find(spec.handle)
    backbone = _load(preset)
    if isinstance(spec.input, ImageInput) and not isinstance(prepared, Mapping):
        backbone = _of_size(backbone, preset, prepared.shape[1])
    return _features(backbone, preset, prepared)


def from_handle(
    handle: str | Path, requested: InputSize
) -> tuple[BackboneSpec, Network]:
    """The row that describes a preset, measured, and the network that it opened.

    Raises:
        BackboneError: if the preset does not exist, or takes neither images nor
            texts.
    """
    preset = kerashub_presets.find(handle)
    backbone = _load(preset)
    takes = _input(backbone, preset)
    if isinstance(takes, ImageInput):
        size = takes.size_for("kerashub", requested).size_px
        backbone = _of_size(backbone, preset, size)
        prepared: Prepared = keras.Input((size, size, 3))
    else:
        length = takes.size_for("kerashub", requested).length
        prepared = {
            name: keras.Input((length,), dtype="int32", name=name)
            for name in sorted({*_named_inputs(backbone), "padding_mask"})
        }
    features = _features(backbone, preset, prepared)
    whole = keras.Model(prepared, features)
    spec = BackboneSpec(
        name="kerashub",
        source="kerashub",
        handle=str(handle),
        input=takes,
        feature_width=features.shape[-1],
        parameters=whole.count_params(),
        blocks=find_boundaries(whole, _encoder_layers(backbone)),
        license=_UNKNOWN_LICENSE,
        paper="",
        carries_weights=True,
        requires=(kerashub_presets.TEXT_OPS,) if isinstance(takes, TextInput) else (),
    )
    return spec, functools.partial(_opened, backbone, preset)


def _encoder_layers(backbone: keras.Model) -> Sequence[keras.layers.Layer]:
    """The layers of an encoder, which are blocks; empty where there is not one.

    In a list of the network, or in a layer that hides them.
    """
    return getattr(backbone, "transformer_layers", ()) or unfolding.inner_layers(
        backbone
    )


def _opened(
    backbone: keras.Model,
    preset: str,
    spec: BackboneSpec,
    prepared: Prepared,
    weights_file: Path | None,
) -> keras.KerasTensor:
    return _features(backbone, preset, prepared)


def _load(preset: str, **options: Any) -> keras.Model:
    """The network of a preset with its weights, in the precision of the day."""
    hub = kerashub_presets.library()
    policy = keras.config.dtype_policy().name
    return kerashub_presets.load(
        hub.models.Backbone.from_preset, preset, dtype=policy, **options
    )


def _input(backbone: keras.Model, preset: str) -> Input:
    """The input contract of a network.

    Raises:
        BackboneError: if that is neither square RGB images nor texts.
    """
    taken = _named_inputs(backbone)
    if "token_ids" in taken and set(taken) <= _TEXT_INPUTS:
        return _text_input(backbone, preset)
    shape = next(iter(taken.values())).shape
    if len(taken) == 1 and len(shape) == 4 and shape[-1] == 3:
        return _image_input(shape, preset)
    raise BackboneError(
        f"The preset {preset} ({type(backbone).__name__}) takes"
        f" {', '.join(f'{name} {list(t.shape)}' for name, t in taken.items())}. A"
        " backbone takes RGB images [batch, height, width, 3], or the tokens of texts:"
        f" {', '.join(sorted(_TEXT_INPUTS))}."
    )


def _named_inputs(backbone: keras.Model) -> Mapping[str, keras.KerasTensor]:
    taken = backbone.input
    return taken if isinstance(taken, dict) else {taken.name: taken}


def _text_input(backbone: keras.Model, preset: str) -> TextInput:
    layer = preprocessor(preset)
    maximum = getattr(backbone, "max_sequence_length", None)
    length = layer.sequence_length
    return TextInput(
        tokenizer=Tokenizer(
            kind="preset", size=layer.tokenizer.vocabulary_size(), preset=preset
        ),
        default_length_tokens=min(length, maximum or length),
        maximum_length_tokens=maximum,
    )


def _image_input(shape: tuple[int | None, ...], preset: str) -> ImageInput:
    hub = kerashub_presets.library()
    converter = kerashub_presets.load(hub.layers.ImageConverter.from_preset, preset)
    height, width = shape[1:3]
    if height != width:
        raise BackboneError(
            f"The preset {preset} takes images of {height} x {width} px; a backbone"
            " takes square ones."
        )
    sides = {height} if height else set(converter.image_size or ())
    size = sides.pop() if len(sides) == 1 else _USUAL_SIZE_PX
    return ImageInput(
        default_size_px=size,
        minimum_size_px=min(size, _MINIMUM_SIZE_PX),
        pixels=_pixels(converter, preset),
    )


def _pixels(converter: Any, preset: str) -> PixelConvention:
    """The pixel convention of a preset's converter, measured, without its resizing.

    Raises:
        BackboneError: if a pixel becomes anything but `a * grey level + b`.
    """
    converter.image_size = None
    levels = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype("float32")
    converted, black, white = (
        np.asarray(converter(image), "float64")
        for image in (levels, np.zeros_like(levels), np.full_like(levels, 255))
    )
    slope, offset = (white - black)[0, 0, 0] / 255, black[0, 0, 0]
    for channels, read in (("rgb", levels), ("bgr", levels[..., ::-1])):
        fits = np.allclose(read * slope + offset, converted, rtol=1e-4, atol=1e-4)
        if fits and (slope != 0).all():
            mean, std = -offset / slope, 1 / slope
            return PixelConvention("of the preset", _three(mean), _three(std), channels)
    raise BackboneError(
        f"The image converter of the preset {preset} does more to a pixel than to scale"
        " and to shift each channel, so it cannot become the first layer of a backbone."
    )


def _three(values: np.ndarray) -> tuple[float, float, float]:
    # Single precision is all that the converter computes in.
    red, green, blue = (float(np.float32(value)) for value in values + 0.0)
    return (red, green, blue)


def _of_size(backbone: keras.Model, preset: str, size: int | None) -> keras.Model:
    """The network for images of this size: another one if its own size is fixed.

    Raises:
        BackboneError: if the weights only fit their own size.
    """
    own = backbone.inputs[0].shape[1]
    if own in (None, size):
        return backbone
    try:
        return _load(preset, image_shape=(size, size, 3))
    except BackboneError as error:
        raise BackboneError(
            f"The preset {preset} was made for images of {own} px and cannot take"
            f" {size} px. Leave input_size_px out for its own size. {error}"
        ) from error


def _features(
    backbone: keras.Model, preset: str, prepared: Prepared
) -> keras.KerasTensor:
    """The features that the layers of the network give for prepared inputs."""
    output = _output(backbone, preset, is_text=isinstance(prepared, Mapping))
    base = keras.Model(backbone.inputs, output)
    if not isinstance(prepared, Mapping):
        features = _run(base, [prepared], preset)
        if len(features.shape) == 4:
            return features
        side = _side(backbone, features, prepared, preset)
        return PatchMap(side=side, name="patch_map")(features)
    names = {id(tensor): name for name, tensor in _named_inputs(backbone).items()}
    features = _run(base, [prepared[names[id(t)]] for t in base.inputs], preset)
    is_token = ops.expand_dims(ops.cast(prepared["padding_mask"], features.dtype), -1)
    return keras.layers.Multiply(name="tokens")([features, is_token])


def _output(backbone: keras.Model, preset: str, *, is_text: bool) -> keras.KerasTensor:
    """The last feature map or sequence of a network; of several maps, the deepest."""
    output = backbone.output
    if isinstance(output, dict):
        maps = [t for t in output.values() if len(t.shape) == 4]
        output = output.get("sequence_output") if is_text else (maps or [None])[-1]
    ranks = (3,) if is_text else (3, 4)
    if isinstance(output, keras.KerasTensor) and len(output.shape) in ranks:
        return output
    raise BackboneError(
        f"The preset {preset} ({type(backbone).__name__}) gives"
        f" {_shown(backbone.output)}, but a backbone gives the feature map or the"
        " tokens of an image, or the feature sequence of a text."
    )


def _run(
    base: keras.Model, inputs: list[keras.KerasTensor], preset: str
) -> keras.KerasTensor:
    """Applies every layer of a functional model, so that none is hidden in another.

    Nor in an encoder that is one layer: each layer inside is a block, to be read,
    frozen and kept by itself.
    """
    try:
        return base._run_through_graph(inputs, operation_fn=unfolding.opener(base))
    except ValueError as error:
        raise BackboneError(
            f"The preset {preset} cannot take input {_shown(inputs)}: {error}"
        ) from error


def _side(
    backbone: keras.Model,
    tokens: keras.KerasTensor,
    pixels: keras.KerasTensor,
    preset: str,
) -> int:
    """The number of patches along the side of an image."""
    count, size = tokens.shape[1], pixels.shape[1]
    patch = getattr(backbone, "patch_size", None)
    patch = patch[0] if isinstance(patch, (tuple, list)) else patch
    if patch and 0 <= count - (size // patch) ** 2 < count:
        return size // patch
    side = math.isqrt(count)
    if side * side == count:
        return side
    raise BackboneError(
        f"The preset {preset} gives {count} tokens for an image of {size} px, and it is"
        " not known which of them are patches."
    )


def _shown(tensors: Any) -> Any:
    return keras.tree.map_structure(lambda tensor: list(tensor.shape), tensors)
