"""The number formats that processors and GPUs have units for. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

# Without these units a processor emulates bfloat16.
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")
_MATRIX_UNITS = ("avx512f", *_BFLOAT16_UNITS)


def cpu_flags() -> frozenset[str]:
    """The features of the processor, such as `avx512f`; empty off Linux."""
    description = Path("/proc/cpuinfo")
    words = description.read_text().split() if description.is_file() else []
    return frozenset(words)


def matrix_units() -> tuple[str, ...]:
    """The features of the processor that decide how fast a network runs."""
    flags = cpu_flags()
    return tuple(name for name in _MATRIX_UNITS if name in flags)


def cpu_mixed_formats() -> tuple[str, ...]:
    """The mixed precisions that this processor has units for."""
    return ("mixed_bfloat16",) if cpu_flags() & set(_BFLOAT16_UNITS) else ()


def gpu_mixed_formats(capability: tuple[int, int]) -> tuple[str, ...]:
    """The mixed precisions of a GPU with this compute capability, the best one last.

    Tensor Cores for float16 came with 7.0, for bfloat16 with 8.0.
    """
    formats = (((7, 0), "mixed_float16"), ((8, 0), "mixed_bfloat16"))
    return tuple(name for least, name in formats if capability >= least)
