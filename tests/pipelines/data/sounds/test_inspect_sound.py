"""Every bad file is named by its reason, and every form that is read passes."""

import numpy as np
import pytest

from pipelines.data.sounds.inspect_sound import SILENT, inspect_sound
from pipelines.data.sounds.wave_file import wave_bytes
from tests.support.tones import RATE_HZ, bad_sounds, tone


@pytest.mark.parametrize(("reason", "content"), bad_sounds().items())
def test_bad_file_is_named_by_its_reason(reason, content):
    assert reason in inspect_sound(content).bad


def test_sounds_of_other_kinds_come_with_a_conversion():
    for kind in ("FLAC", "MP3", "Ogg"):
        assert "ffmpeg -i NAME." in inspect_sound(bad_sounds()[kind]).bad


def test_stereo_of_24_bits_is_measured():
    both = np.stack([tone(300, rate_hz=44_100), tone(900, rate_hz=44_100)], axis=1)
    inspection = inspect_sound(wave_bytes(both, 44_100, bits=24, extensible=True))
    assert inspection.bad == ""
    assert inspection.odd == ()
    assert (inspection.rate_hz, inspection.channels) == (44_100, 2)
    assert inspection.milliseconds == pytest.approx(300)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_is_odd_and_not_bad(level):
    inspection = inspect_sound(wave_bytes(np.full(2_000, level), RATE_HZ))
    assert inspection.bad == ""
    assert inspection.odd == (SILENT,)
