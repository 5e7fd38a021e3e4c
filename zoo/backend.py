"""The engine that builds networks: whether it is there, and how it starts and is set.

Keras has settings for the whole process, and takes them from a file in the user's home
that any other project may have written. Networks here mean what Keras means without it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from zoo.errors import BackboneError
from zoo.storage.home import keras_folder, name_keras_folder

INSTALL_HINT = (
    "pip install 'zootune[cpu]', or 'zootune[gpu]' on a machine with an NVIDIA GPU"
)
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What `keras.config` has a getter and a setter for, as it is without any file.
_PLAIN: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "max_epochs": None,
    "max_steps_per_epoch": None,
}


def require_tensorflow() -> None:
    """Raises `BackboneError` unless Keras can and will run on TensorFlow."""
    if importlib.util.find_spec("tensorflow") is None:
        raise BackboneError(f"TensorFlow is not installed: {INSTALL_HINT}.")
    chosen, where, advice = _chosen_backend()
    if chosen != "tensorflow":
        raise BackboneError(
            f"{where} '{chosen}', but artifacts are TensorFlow SavedModels. {advice}"
        )


def start_quietly(module: str = "keras") -> None:
    """Imports TensorFlow, without the notes that its libraries write while they load.

    `module` is what to import: Keras, which brings it, or `tensorflow` alone. Whoever
    sets `TF_CPP_MIN_LOG_LEVEL` sees all that TensorFlow says at that level.

    Raises:
        BackboneError: if TensorFlow is not installed, or Keras cannot run on it.
    """
    require_tensorflow()
    name_keras_folder()
    if module in sys.modules:
        return
    if LOG_LEVEL in os.environ:
        _import(module)
        return
    os.environ[LOG_LEVEL] = "2"
    try:
        with _stderr_aside():
            _import(module)
    finally:
        del os.environ[LOG_LEVEL]


@contextlib.contextmanager
def plain_settings() -> Iterator[None]:
    """Gives Keras its own default settings for a block; restores the others after.

    Which type layers compute in is not among them: a policy is set on purpose.
    """
    import keras

    before = {name: getattr(keras.config, name)() for name in _PLAIN}
    set_plainly()
    try:
        yield
    finally:
        _set(before)


def set_plainly() -> None:
    """Gives Keras, for good, the settings that it has by itself."""
    _set(_PLAIN)


def _set(values: dict[str, Any]) -> None:
    import keras

    for name, value in values.items():
        setter: Callable[[Any], None] = getattr(keras.config, f"set_{name}")
        setter(value)


def _chosen_backend() -> tuple[str, str, str]:
    """The backend of Keras, the setting that named it, and advice about another."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "backend"):
        return (
            keras.backend.backend(),
            "Keras runs already, with the backend",
            ("Set KERAS_BACKEND=tensorflow before Keras is imported."),
        )
    if chosen := os.environ.get("KERAS_BACKEND"):
        return chosen, "KERAS_BACKEND is", "Unset it or set it to 'tensorflow'."
    path = keras_folder() / "keras.json"
    try:
        chosen = json.loads(path.read_text()).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        chosen = "tensorflow"  # what Keras takes without a file that says otherwise
    return (
        chosen,
        f"{path} gives Keras the backend",
        ("Set KERAS_BACKEND=tensorflow, which comes before the file."),
    )


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:
        path = keras_folder() / "keras.json"
        if not path.is_file():
            raise
        raise BackboneError(
            f"Keras does not start ({type(error).__name__}: {error}), and it reads its"
            f" settings from {path}. If they are not yours, move the file away, or set"
            " KERAS_HOME to another folder."
        ) from error


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Keeps what is written to file descriptor 2, and gives it back after a failure."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed, so nobody reads it
        yield
        return
    with tempfile.TemporaryFile("w+", errors="replace") as aside:
        os.dup2(aside.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed and sys.stderr is not None:
                aside.seek(0)
                shutil.copyfileobj(aside, sys.stderr)


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
