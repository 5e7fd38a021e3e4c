"""The number format that a model computes in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Layers made inside compute in this precision; the policy before comes back.

    `auto` is float32: which format is faster differs from one backbone and machine to
    the next (mixed bfloat16 made ResNet50 three times faster on a CPU with AMX, and
    EfficientNetB0 half as fast), so anything else has to be asked for.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if name == "auto" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
