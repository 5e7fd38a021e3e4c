"""A SavedModel as a Keras layer: frozen, trained, saved and exported like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from zoo.errors import BackboneError, OfflineError
from zoo.saved_model.reusable import ReusableModel, open_model
from zoo.weights.handles import lasting_handle, resolve_handle

_MEAN, _SCALES = "moving_mean", ("gamma", "beta")


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

    `handle` is the path or the address of the module, as in `zoo.weights.handles`. A
    `.keras` file holds the weights and the handle; the module must be on this machine
    when it is loaded. `keras.models.clone_model` reads the weights of the module again.

    Raises:
        BackboneError: if it is not available, or is not a SavedModel with these names;
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
        """The scales and offsets of BatchNorm, recognized by their names.

        They are called `gamma` and `beta` beside a `moving_mean`, as Keras, tf_keras
        and TF-Slim write them; those of others are not found.
        """
        named = [(*_scope_and_name(v.value), v) for v in self._shared]
        normalized = {scope for scope, name, _ in named if name == _MEAN}
        trained = named[: len(self.module.trainable)]
        return [
            v for scope, name, v in trained if name in _SCALES and scope in normalized
        ]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The outputs of the module, in training mode only while the layer learns."""
        self._refuse_other_strategy()
        learns = bool(training) and self.trainable and not self.runs_in_inference
        mode = self.module.training if learns else None
        outputs = (mode or self.module.inference)(self._cast_inputs(inputs))
        if self.trainable:
            for loss in self.module.losses:
                self.add_loss(loss())
        return tf.nest.map_structure(self._cast_output, outputs)

    def _cast_inputs(self, inputs):
        expected = self.module.inference.input.dtype.name
        actual = keras.backend.standardize_dtype(inputs.dtype)
        if actual == expected:
            return inputs
        if "string" in (actual, expected):
            raise BackboneError(
                f"The module {self.handle} takes {expected}, not {actual}."
            )
        return ops.cast(inputs, expected)

    def _cast_output(self, tensor):
        return ops.cast(tensor, self.compute_dtype) if is_floating(tensor) else tensor

    def _refuse_other_strategy(self) -> None:
        """TensorFlow itself ends in an AssertionError without a word."""
        strategy = tf.distribute.get_strategy()
        if tf.distribute.has_strategy() and strategy is not self._strategy:
            raise BackboneError(
                f"The SavedModel in {self.folder} was opened outside of the strategy"
                " that trains it. Build the backbone inside `with strategy.scope():`."
            )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            **super().get_config(),
            **self._options,
            "handle": self.handle,
            "runs_in_inference": self.runs_in_inference,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SavedModelLayer:
        """Opens the module that a saved model names; fetches nothing."""
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


def is_floating(tensor: Any) -> bool:
    """True if a tensor, symbolic or not, has a floating type of any width."""
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _scope_and_name(variable: tf.Variable) -> tuple[str, str]:
    scope, _, name = variable.name.partition(":")[0].rpartition("/")
    return scope, name


def _shared(
    trainable: Sequence[tf.Variable], fixed: Sequence[tf.Variable]
) -> list[keras.Variable]:
    """Keras variables around those of the module, with names that Keras allows."""
    taken: dict[str, int] = {}
    shared_variables = []
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
        shared_variables.append(shared)
    return shared_variables
