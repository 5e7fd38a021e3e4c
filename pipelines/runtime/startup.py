"""Starting TensorFlow for a command, whose process is ours from beginning to end."""

from __future__ import annotations

import os
import sys

from zoo import backend


def start_tensorflow(module: str = "keras") -> None:
    """Imports TensorFlow, and keeps it quiet for the rest of the process.

    `module` is what to import: Keras, which brings it, or `tensorflow` alone. What its
    libraries write while they load would stand before the one sentence of an error.

    A backend and other settings in a file of Keras, which are those of another project,
    are set aside. KERAS_BACKEND is not: who sets it means it.

    Raises:
        BackboneError: if TensorFlow is not installed, or Keras is to run without it.
    """
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = "tensorflow"
    backend.start_quietly(module)
    os.environ.setdefault(backend.LOG_LEVEL, "2")
    if module == "keras":
        backend.set_plainly()
