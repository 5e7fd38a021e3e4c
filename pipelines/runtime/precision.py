"""The number format that a model computes in, and the fast ones of a machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from pipelines.runtime import devices


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Layers made inside compute in this precision; the policy before comes back.

    `auto` is float32 until something else was measured to be faster.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if name == "auto" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def shorter_format() -> str | None:
    """The best mixed precision of the device; `None` where it would emulate it."""
    if tf.config.list_logical_devices("TPU"):
        return "mixed_bfloat16"
    capability = None
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = map(tf.config.experimental.get_device_details, gpus)
        capability = min(gpu.get("compute_capability", (0, 0)) for gpu in details)
    formats = devices.mixed_precisions(capability)
    return formats[-1] if formats else None


def may_use_xla() -> bool:
    """True where XLA is worth a try: not on a CPU, where it is 3 to 12 times slower."""
    return bool(
        tf.config.list_physical_devices("GPU") or tf.config.list_logical_devices("TPU")
    )
