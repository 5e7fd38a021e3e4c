"""Modules that bring TensorFlow ops which the graph of an artifact may need."""

from __future__ import annotations

import importlib
from pathlib import Path

import tensorflow as tf

from pipelines.errors import ArtifactError

_KNOWN_OPS = ("tensorflow_text",)


def import_ops(module: str, path: Path) -> None:
    """Imports a module that brings TensorFlow ops; it is not used otherwise.

    Raises:
        ArtifactError: if it is unknown here, or is not installed.
    """
    if module not in _KNOWN_OPS:  # a manifest must not choose what runs here
        raise ArtifactError(
            f"The artifact in {path} asks for the module {module!r}; modules"
            f" that may bring TensorFlow ops are {', '.join(_KNOWN_OPS)}."
        )
    try:
        importlib.import_module(module)
    except (ImportError, tf.errors.OpError) as error:
        package = module.replace("_", "-")
        series = ".".join(tf.__version__.split(".")[:2])
        raise ArtifactError(
            f"The artifact in {path} has ops of {module}, which cannot be imported:"
            f" {error}. Get it, for this TensorFlow, with: pip install --no-deps"
            f" '{package}=={series}.*'"
        ) from error
