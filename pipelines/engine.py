"""Starting TensorFlow, which takes seconds and talks while it does."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

from zoo.backend import require_tensorflow

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def start_tensorflow(module: str = "keras") -> None:
    """Imports TensorFlow, without the notes that its libraries write while they load.

    `module` is what to import: Keras, which brings it, or `tensorflow` alone.

    They precede any log level and would stand before the one sentence of an error.
    Whoever sets `TF_CPP_MIN_LOG_LEVEL` sees all that TensorFlow says at that level.

    Raises:
        BackboneError: if TensorFlow is not installed, or Keras is to run without it.
    """
    require_tensorflow()
    if _LOG_LEVEL in os.environ:
        return
    os.environ[_LOG_LEVEL] = "2"
    with _stderr_aside():
        importlib.import_module(module)


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Keeps what is written to file descriptor 2, and gives it back after a failure."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as aside:
        os.dup2(aside.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed:
                aside.seek(0)
                shutil.copyfileobj(aside, sys.stderr)
