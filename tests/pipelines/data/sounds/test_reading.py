"""The rate and the length that are chosen for sounds, and files that are not read."""

import pytest

from pipelines.data.sounds import reading
from pipelines.data.sounds.inspect_sound import SoundInspection, inspect_sound
from pipelines.data.sounds.reading import (
    in_words,
    length_for,
    rate_for,
    read_sounds,
    why_not_read,
)
from pipelines.errors import DataError
from tests.support.tones import write_tones


def _sounds(*milliseconds, rate_hz=8_000):
    return [SoundInspection(rate_hz=rate_hz, milliseconds=ms) for ms in milliseconds]


def test_length_is_what_nearly_all_fit_into():
    assert length_for(_sounds(*[500] * 99, 9_000)) == 500
    assert length_for(_sounds(*[450] * 10, *[720] * 10)) == 800


def test_length_has_bounds_without_being_asked():
    assert length_for(_sounds(40)) == 200
    assert length_for(_sounds(600_000)) == 10_000
    assert length_for([]) == 1_000


def test_rate_is_high_where_nearly_all_have_it():
    fast = _sounds(*[500] * 99, rate_hz=44_100)
    assert rate_for([*fast, *_sounds(500)]) == 16_000
    assert rate_for([*fast[:9], *_sounds(500)]) == 8_000


def test_sentence_has_lengths_and_rate(tmp_path):
    folder = write_tones(tmp_path, each=3)
    sounds = read_sounds(sorted(map(str, folder.glob("*/*.wav"))))
    inspections = [inspect_sound(content) for content in sounds.values]
    assert in_words(sounds, inspections).startswith(
        "Sounds of 0.20 to 0.22 s are read as 0.3 s at 8000 samples a second"
    )


def test_inspections_follow_their_sounds(tmp_path):
    folder = write_tones(tmp_path, each=2)
    sounds = read_sounds(sorted(map(str, folder.glob("*/*.wav")))).take([2, 0])
    assert sounds.inspections.tolist() == list(map(inspect_sound, sounds.values))


def test_missing_file_has_no_bytes_and_a_reason(tmp_path):
    sounds = read_sounds([str(tmp_path / "none.wav")])
    assert sounds.values.tolist() == [b""]
    assert "no such file" in why_not_read(sounds.paths[0])


def test_more_than_memory_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 10)
    (tmp_path / "a.wav").write_bytes(bytes(11))
    with pytest.raises(DataError, match="ffmpeg -i IN.wav -ac 1 -ar 16000"):
        read_sounds([str(tmp_path / "a.wav")])
