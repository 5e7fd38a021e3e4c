"""Loads a SavedModel from a folder of any name.

TensorFlow 2.21 takes the path of the variables for a pattern: in `runs/lr[0.1]` it
finds none, and in `runs/a*b` perhaps those of another model.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import tensorflow as tf

_PATTERN = frozenset("*?[]{}\\")


def load_saved_model(folder: Path, **options: Any) -> Any:
    """Loads a SavedModel, with the variables of this very folder."""
    path = str(folder.absolute())
    if _PATTERN.isdisjoint(path):
        return tf.saved_model.load(path, **options)
    place = Path(tempfile.mkdtemp(prefix="zootune-"))
    try:
        link = place / "model"
        link.symlink_to(path)
        loaded = tf.saved_model.load(str(link), **options)
    except BaseException:
        shutil.rmtree(place)
        raise
    # Assets may be read again, so the link stays for as long as the model.
    weakref.finalize(loaded, shutil.rmtree, place, ignore_errors=True)
    return loaded
