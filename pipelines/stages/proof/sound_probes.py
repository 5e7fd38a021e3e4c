"""Sounds made up to prove an export with: every form of file that is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.data.sounds.samples import samples_of
from pipelines.data.sounds.wave_file import wave_bytes

_LENGTH_MS = 2_000
_OTHER_RATES_HZ = (11_025, 44_100, 48_000)


def sound_probes(values: Sequence[bytes], *, rate_hz: int) -> dict[str, bytes]:
    """Files of the first of some real sounds, changed, by the change."""
    x = samples_of(values[0], rate_hz=rate_hz, length_ms=_LENGTH_MS)
    other = samples_of(values[-1], rate_hz=rate_hz, length_ms=_LENGTH_MS)
    other = np.resize(other, len(x))
    both = np.stack([x, other], axis=1)
    made = {
        "a mixture": wave_bytes((x + other) / 2, rate_hz),
        "of 8 bits": wave_bytes(x, rate_hz, bits=8),
        "of 24 bits and two channels": wave_bytes(both, rate_hz, bits=24),
        "of 32 bits": wave_bytes(x, rate_hz, bits=32),
        "of floats": wave_bytes(x, rate_hz, bits=32, floating=True),
        "of long floats": wave_bytes(x, rate_hz, bits=64, floating=True),
        "with a long header": wave_bytes(both, rate_hz, bits=24, extensible=True),
        "backwards": wave_bytes(x[::-1], rate_hz),
        "silence": wave_bytes(np.zeros_like(x), rate_hz),
    }
    rates = {f"at {rate} Hz": wave_bytes(x, rate) for rate in _OTHER_RATES_HZ}
    return made | rates
