"""The number format that a model computes in, and which ones a machine is fast in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

# What makes bfloat16 more than an emulation on a CPU; `zoo doctor` shows them.
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")


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
    """The mixed precision that the device has units for; none where it emulates them.

    Tensor cores for float16 came with compute capability 7.0, for bfloat16 with 8.0.
    """
    if tf.config.list_logical_devices("TPU"):
        return "mixed_bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = map(tf.config.experimental.get_device_details, gpus)
        capability = min(one.get("compute_capability", (0, 0)) for one in details)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= (7, 0) else None
    return "mixed_bfloat16" if _cpu_flags() & set(_BFLOAT16_UNITS) else None


def may_use_xla() -> bool:
    """Whether XLA is worth a try: on a CPU it is 3 to 12 times slower, never there."""
    return bool(
        tf.config.list_physical_devices("GPU") or tf.config.list_logical_devices("TPU")
    )


def _cpu_flags() -> set[str]:
    """Those of the processor; Linux only."""
    description = Path("/proc/cpuinfo")
    return set(description.read_text().split()) if description.is_file() else set()
