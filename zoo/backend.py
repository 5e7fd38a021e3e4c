"""Whether the engine that builds networks is there, said before it is imported."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterable

from zoo.errors import BackboneError

INSTALL_HINT = (
    "pip install 'zootune[cpu]', or 'zootune[gpu]' on a machine with an NVIDIA GPU"
)


def require_tensorflow() -> None:
    """Raises `BackboneError` unless Keras can and will run on TensorFlow."""
    if importlib.util.find_spec("tensorflow") is None:
        raise BackboneError(f"TensorFlow is not installed: {INSTALL_HINT}.")
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen != "tensorflow":
        raise BackboneError(
            f"KERAS_BACKEND is '{chosen}', but artifacts are TensorFlow SavedModels."
            " Unset it or set it to 'tensorflow'."
        )


def import_ops(modules: Iterable[str]) -> None:
    """Imports modules for the TensorFlow ops that they bring.

    Raises:
        BackboneError: if one is not installed, or made for another TensorFlow.
    """
    import tensorflow as tf

    for module in modules:
        try:
            importlib.import_module(module)
        # An op library for another TensorFlow fails where it is loaded.
        except (ImportError, tf.errors.OpError) as error:
            package = module.replace("_", "-")
            series = ".".join(tf.__version__.split(".")[:2])
            raise BackboneError(
                f"The graph has ops of {module}, which cannot be imported: {error}. Get"
                f" it, for this TensorFlow, with: pip install --no-deps"
                f" '{package}=={series}.*'"
            ) from error
