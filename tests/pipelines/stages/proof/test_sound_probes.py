"""An export of sounds is proved with every form of file."""

from pipelines.data.sounds.inspect_sound import inspect_sound
from pipelines.data.sounds.wave_file import wave_bytes
from pipelines.stages.proof.sound_probes import sound_probes
from tests.support.tones import RATE_HZ, tone


def test_probes_are_sounds_of_different_forms():
    values = [wave_bytes(tone(hertz), RATE_HZ) for hertz in (300, 900)]
    made = sound_probes(values, rate_hz=RATE_HZ)
    inspections = [inspect_sound(content) for content in made.values()]
    assert not any(inspection.bad for inspection in inspections)
    assert {i.channels for i in inspections} == {1, 2}
    assert {i.rate_hz for i in inspections} == {8_000, 11_025, 44_100, 48_000}
    assert len(set(made.values())) == len(made)
