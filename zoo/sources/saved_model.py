"""TF Hub modules and any other reusable SavedModel, as a Keras layer and a backbone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from zoo.errors import BackboneError, OfflineError
from zoo.handles import lasting_handle, resolve_handle
from zoo.reusable_model import ReusableModel, open_model
from zoo.spec import (
    INSIDE,
    OUTPUT,
    ZERO_TO_ONE,
    BackboneSpec,
    Boundary,
    ImageInput,
    InputSize,
)

# What most image modules of TF Hub were trained on, for those that take any size.
_USUAL_SIZE_PX = 224
_OUTPUT_KEYS = ("default", "feature_vector")
_BLOCK = "module"
_MEAN, _SCALES = "moving_mean", ("gamma", "beta")
# SPDX's word for a licence that nobody has looked up.
_UNKNOWN_LICENSE = "NOASSERTION"

Network = Callable[[BackboneSpec, keras.KerasTensor, Path | None], keras.KerasTensor]


@keras.saving.register_keras_serializable("zootune")
class SavedModelLayer(keras.layers.Layer):
    """A SavedModel that can be frozen, trained, saved and exported like any layer.

    Takes and gives what the module does, in its own nesting: inputs are cast to the
    type it wants, and floating outputs to the compute dtype. Its variables are the
    layer's weights, shared and not copied. Its functions stay as they were saved, so
    they compute in their own precision whatever the policy.

    The training mode is called if `fit` says so, `trainable` is true, and
    `runs_in_inference` is not; otherwise no statistics move and no dropout is active. A
    module without such a mode trains in inference mode. One that has only a signature
    has no trainable weights.

    `handle` is the path or the address of the module, as in `zoo.handles`. A `.keras`
    file holds the weights and the handle; the module must be on this machine when it is
    loaded. `keras.models.clone_model` reads the weights of the module again.

    Raises:
        BackboneError: if it cannot be had, or is no SavedModel with what was named;
            says what is there.
    """

    def __init__(
        self,
        handle: str | Path,
        *,
        tags: Sequence[str] | None = None,
        call_endpoint: str | None = None,
        training_endpoint: str | None = None,
        signature: str | None = None,
        runs_in_inference: bool = False,
        **layer_options: object,
    ) -> None:
        super().__init__(**{"autocast": False, **layer_options})
        self.handle = lasting_handle(handle)
        self.folder = resolve_handle(handle)
        self.runs_in_inference = runs_in_inference
        self._options: dict[str, Any] = {
            "tags": None if tags is None else list(tags),
            "call_endpoint": call_endpoint,
            "training_endpoint": training_endpoint,
            "signature": signature,
        }
        self.module: ReusableModel = open_model(self.folder, **self._options)
        # Tracked, so that an export takes tables and assets with it.
        self._loaded = self.module.loaded
        self._strategy = tf.distribute.get_strategy()
        with keras.name_scope(self.name):
            self._shared = _shared(self.module.trainable, self.module.fixed)
        # A layer that is made with trainable=False leaves its variables as they are,
        # and setting it to the same again does nothing.
        for weight in self._shared[: len(self.module.trainable)]:
            weight.trainable = bool(layer_options.get("trainable", True))
        self.supports_jit = False
        self.built = True

    @property
    def statistics(self) -> list[keras.Variable]:
        """The weights that only a call in training mode can move."""
        fixed = {id(v) for v in self.module.fixed}
        return [v for v in self._shared if id(v.value) in fixed]

    @property
    def scales(self) -> list[keras.Variable]:
        """The scales and offsets of BatchNorm, told by their names.

        They are called `gamma` and `beta` beside a `moving_mean`, as Keras, tf_keras
        and TF-Slim write them; those of others are not found.
        """
        named = [(*_scope_and_name(v.value), v) for v in self._shared]
        normalized = {scope for scope, name, _ in named if name == _MEAN}
        trained = named[: len(self.module.trainable)]
        return [
            v for scope, name, v in trained if name in _SCALES and scope in normalized
        ]

    def call(self, inputs, training=False):
        self._refuse_other_strategy()
        learns = bool(training) and self.trainable and not self.runs_in_inference
        mode = self.module.training if learns else None
        outputs = (mode or self.module.inference)(self._cast_inputs(inputs))
        if self.trainable:
            for loss in self.module.losses:
                self.add_loss(loss())
        return tf.nest.map_structure(self._cast_output, outputs)

    def _cast_inputs(self, inputs):
        wanted = self.module.inference.input.dtype.name
        given = keras.backend.standardize_dtype(inputs.dtype)
        if given == wanted:
            return inputs
        if "string" in (given, wanted):
            raise BackboneError(
                f"The module {self.handle} takes {wanted}, given was {given}."
            )
        return ops.cast(inputs, wanted)

    def _cast_output(self, tensor):
        return ops.cast(tensor, self.compute_dtype) if _is_floating(tensor) else tensor

    def _refuse_other_strategy(self) -> None:
        """TensorFlow itself ends in an AssertionError without a word."""
        strategy = tf.distribute.get_strategy()
        if tf.distribute.has_strategy() and strategy is not self._strategy:
            raise BackboneError(
                f"The SavedModel in {self.folder} was opened outside of the strategy"
                " that trains it. Build the backbone inside `with strategy.scope():`."
            )

    def get_config(self):
        return {
            **super().get_config(),
            **self._options,
            "handle": self.handle,
            "runs_in_inference": self.runs_in_inference,
        }

    @classmethod
    def from_config(cls, config):
        # A module is a program. Whoever sends a file that names one may not make this
        # machine fetch it; what is here already, its user has fetched.
        try:
            resolve_handle(config["handle"], offline=True)
        except OfflineError as error:
            raise OfflineError(
                f"The module {config['handle']} is not on this machine, and to load a"
                " layer fetches nothing. If you trust its address, get it with:"
                f" zoo fetch {config['handle']}"
            ) from error
        return cls(**config)


def network(
    spec: BackboneSpec, pixels: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature map of the module that `spec.handle` names, with its weights.

    Raises:
        BackboneError: if it takes no such images, or gives other features than the row
            says.
    """
    layer = SavedModelLayer(spec.handle, name=_BLOCK)
    return _network(layer, spec, pixels, weights_file)


def from_handle(
    handle: str | Path, wanted_size: InputSize
) -> tuple[BackboneSpec, Network]:
    """The row that describes a module, measured, and the network that it opened.

    The pixels are 0..1, which TF Hub asks of image modules, or 0..255 where the module
    takes whole numbers. For others, replace `pixels` and `name` in the row and
    `zoo.register` it.

    Raises:
        BackboneError: if it takes no images, or gives neither a feature vector nor a
            feature map.
    """
    layer = SavedModelLayer(handle, name=_BLOCK)
    wanted = layer.module.inference.input
    fixed_size = _fixed_size(wanted, handle)
    size = wanted_size.size_px or fixed_size or _USUAL_SIZE_PX
    pixels = keras.KerasTensor((None, size, size, 3))
    features = _apply(layer.compute_output_spec, layer, pixels, handle)
    spec = BackboneSpec(
        name="tfhub",
        source="tfhub",
        handle=layer.handle,
        input=ImageInput(
            default_size_px=fixed_size or _USUAL_SIZE_PX,
            minimum_size_px=fixed_size or 1,
            pixels=ZERO_TO_ONE if wanted.dtype.is_floating else INSIDE,
        ),
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
    pixels: keras.KerasTensor,
    weights_file: Path | None,
) -> keras.KerasTensor:
    features = _apply(layer, layer, pixels, spec.handle)
    width = features.shape[-1]
    if width != spec.feature_width:
        raise BackboneError(
            f"The row '{spec.name}' says that features have width {spec.feature_width},"
            f" but {spec.handle} gives {width}."
        )
    if len(features.shape) == 4:
        return features
    # A map of one pixel: pooling it by average, by maximum or by flattening gives the
    # vector back, so heads need not know which of the two a backbone has.
    return keras.layers.Reshape((1, 1, width), name="feature_map")(features)


def _fixed_size(wanted: tf.TensorSpec, handle: str | Path) -> int | None:
    """The one size of images that a module takes, or `None` if it takes any.

    Raises:
        BackboneError: if it takes no square RGB images.
    """
    shape = wanted.shape
    is_image = shape.rank is None or shape.is_compatible_with([None, None, None, 3])
    if not is_image or not (wanted.dtype.is_floating or wanted.dtype.is_integer):
        raise BackboneError(
            f"The module {handle} takes {wanted.dtype.name} {_shown(shape)}, not images"
            " [batch, height, width, 3], so it cannot be a backbone for images."
        )
    if shape.rank is None:
        return None
    height, width = shape[1:3]
    if height != width:
        raise BackboneError(
            f"The module {handle} takes images of {height} x {width} px; a backbone"
            " takes square ones."
        )
    return height


def _apply(
    apply: Callable[[keras.KerasTensor], Any],
    layer: SavedModelLayer,
    pixels: keras.KerasTensor,
    handle: str | Path,
) -> keras.KerasTensor:
    """The features that the module gives for images of this size."""
    wanted = layer.module.inference.input.shape
    if not wanted.is_compatible_with(pixels.shape):
        raise BackboneError(
            f"The module {handle} takes images {_shown(wanted)} and no other; given"
            f" were {_shown(pixels.shape)}. Leave input_size_px out for its own size."
        )
    try:
        outputs = apply(pixels)
    except (ValueError, tf.errors.OpError) as error:
        raise BackboneError(
            f"The module {handle} fails for images {_shown(pixels.shape)}: {error}"
        ) from error
    return _features(outputs, handle)


def _features(outputs: Any, handle: str | Path) -> keras.KerasTensor:
    """The one output that is a feature vector or a feature map."""
    found = _only_output(outputs)
    if found is None or not _is_feature(found):
        shapes = tf.nest.map_structure(lambda t: _shown(t.shape), outputs)
        raise BackboneError(
            f"The module {handle} gives {shapes}, but a backbone gives one feature"
            " vector [batch, width] or one feature map [batch, height, width,"
            f" channels]. In a dictionary it is called {' or '.join(_OUTPUT_KEYS)}."
        )
    return found


def _only_output(outputs: Any) -> keras.KerasTensor | None:
    if isinstance(outputs, dict):
        for key in _OUTPUT_KEYS:
            if key in outputs:
                return outputs[key]
    flat = tf.nest.flatten(outputs)
    return flat[0] if len(flat) == 1 else None


def _scope_and_name(variable: tf.Variable) -> tuple[str, str]:
    scope, _, name = variable.name.partition(":")[0].rpartition("/")
    return scope, name


def _is_feature(tensor: keras.KerasTensor) -> bool:
    shape = tensor.shape
    return len(shape) in (2, 4) and shape[-1] is not None and _is_floating(tensor)


def _is_floating(tensor: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _shown(shape: Iterable[int | None]) -> list[int | None]:
    return list(shape)


def _shared(
    trainable: Sequence[tf.Variable], fixed: Sequence[tf.Variable]
) -> list[keras.Variable]:
    """Keras variables around those of the module, with names that Keras allows."""
    taken: dict[str, int] = {}
    found = []
    for variable, trains in [(v, True) for v in trainable] + [
        (v, False) for v in fixed
    ]:
        name = variable.name.partition(":")[0].replace("/", "_")
        taken[name] = taken.get(name, 0) + 1
        suffix = f"_{taken[name]}" if taken[name] > 1 else ""
        shared = keras.Variable(
            variable,
            dtype=variable.dtype.name,
            autocast=False,
            trainable=trains,
            name=name + suffix,
        )
        if shared.value is not variable:
            raise BackboneError(
                f"Keras copied the variable {variable.name} instead of sharing it, so"
                " training would not reach the module. Use Keras 3.15.1."
            )
        found.append(shared)
    return found
