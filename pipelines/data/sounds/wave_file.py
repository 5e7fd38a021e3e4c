"""Samples written as a WAV file, in any of the forms that are read."""

from __future__ import annotations

import struct

import numpy as np

from zoo.sounds.wave_format import EXTENSIBLE, FLOAT, PCM, SAMPLE_KINDS

# The end of the identifier of every kind of numbers in an extensible header.
_GUID_END = bytes.fromhex("0000000010008000 00aa00389b71")


def wave_bytes(
    samples: np.ndarray,
    rate_hz: int,
    *,
    bits: int = 16,
    floating: bool = False,
    extensible: bool = False,
) -> bytes:
    """The bytes of a WAV file of `samples` in -1..1, `[n]` or `[n, channels]`.

    >>> wave_bytes(np.zeros(80), 8000)[:4]
    b'RIFF'

    Raises:
        ValueError: if samples of this kind cannot have these bits.
    """
    tag = FLOAT if floating else PCM
    if (tag, bits) not in SAMPLE_KINDS:
        raise ValueError(f"bits is {bits}; allowed with its tag {tag}: {SAMPLE_KINDS}")
    table = np.asarray(samples, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    channels, width = table.shape[1], bits // 8
    data = _encoded(table, bits, floating=floating)
    numbers = (channels, rate_hz, rate_hz * channels * width, channels * width, bits)
    form = struct.pack("<HHIIHH", EXTENSIBLE if extensible else tag, *numbers)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + _GUID_END
    chunks = _chunk(b"fmt ", form) + _chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _encoded(table: np.ndarray, bits: int, *, floating: bool) -> bytes:
    if floating:
        return table.astype(f"<f{bits // 8}").tobytes()
    largest = 2.0 ** (bits - 1)
    whole = np.clip(np.rint(table * largest), -largest, largest - 1).astype(np.int64)
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    if bits == 24:
        octets = whole.astype("<i4").reshape(-1, 1).view(np.uint8)
        return octets[:, :3].tobytes()
    return whole.astype(f"<i{bits // 8}").tobytes()
