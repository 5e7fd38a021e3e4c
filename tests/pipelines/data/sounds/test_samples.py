"""The samples that a network hears, and their outline."""

import numpy as np

from pipelines.data.sounds.samples import envelope, samples_of
from pipelines.data.sounds.wave_file import wave_bytes
from tests.support.tones import RATE_HZ, tone


def test_samples_are_those_of_the_file():
    x = tone(440)
    read = samples_of(wave_bytes(x, RATE_HZ), rate_hz=RATE_HZ, length_ms=1_000)
    np.testing.assert_allclose(read, x, atol=2.0**-15)


def test_envelope_rises_with_the_sound():
    rising = np.linspace(0, 1, 2_400) * np.sign(tone(440))
    content = wave_bytes(rising, RATE_HZ)
    outline = envelope(content, rate_hz=RATE_HZ, length_ms=300, points=8)
    assert len(outline) == 8
    assert outline == sorted(outline)
    assert outline[-1] > 0.99


def test_bytes_that_are_not_a_sound_have_none():
    assert envelope(b"no", rate_hz=RATE_HZ, length_ms=300, points=8) == []
