"""Whether the engine that builds networks is there, said before it is imported."""

from __future__ import annotations

import importlib.util
import os

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
