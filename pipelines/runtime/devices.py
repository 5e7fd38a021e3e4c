"""Units of processors and GPUs that decide how fast a network runs in a format."""

from __future__ import annotations

from pathlib import Path

_MATRIX_UNITS = ("avx512f", "avx512_bf16", "amx_bf16")
# With these, bfloat16 on a CPU is more than an emulation.
_BFLOAT16_UNITS = {"avx512_bf16", "amx_bf16"}


def processor_features() -> tuple[str, ...]:
    """The matrix units of the CPU, as its flags name them; Linux only."""
    description = Path("/proc/cpuinfo")
    flags = description.read_text().split() if description.is_file() else []
    return tuple(name for name in _MATRIX_UNITS if name in flags)


def mixed_precisions(capability: tuple[int, int] | None = None) -> tuple[str, ...]:
    """The mixed precisions that a device has units for, the best one last.

    `capability` is the compute capability of a GPU; without one it is the CPU. Tensor
    cores for float16 came with 7.0, for bfloat16 with 8.0.
    """
    if capability is None:
        has_units = _BFLOAT16_UNITS.intersection(processor_features())
        return ("mixed_bfloat16",) if has_units else ()
    names = {"mixed_float16": (7, 0), "mixed_bfloat16": (8, 0)}
    return tuple(name for name, least in names.items() if capability >= least)
