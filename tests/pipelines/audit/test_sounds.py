"""`zoo check` on a folder of sounds: broken files, silence, rates, copies by name."""

import numpy as np
import pytest

from pipelines.audit.audit import audit
from pipelines.audit.sounds import sound_findings
from pipelines.data.load import load, read
from pipelines.data.reference import DatasetRef
from pipelines.data.sounds.wave_file import wave_bytes
from pipelines.errors import DataError
from tests.support.tones import RATE_HZ, bad_sounds, tone, write_tones


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_tones(tmp_path_factory.mktemp("sounds"), each=4)
    low = folder / "low"
    for i, content in enumerate(bad_sounds().values()):
        (low / f"bad{i}.wav").write_bytes(content)
    (low / "other.flac").write_bytes(bad_sounds()["FLAC"])
    (low / "silent.wav").write_bytes(wave_bytes(np.zeros(2_000), RATE_HZ))
    (low / "fast.wav").write_bytes(wave_bytes(tone(300, rate_hz=44_100), 44_100))
    (low / "copy.wav").write_bytes((low / "00.wav").read_bytes())
    return folder


def _problems(findings, severity):
    return {f.problem: f.about for f in findings if f.severity == severity}


def test_every_bad_file_is_an_error_by_name(folder):
    errors = _problems(audit(DatasetRef("dir", str(folder))).findings, "error")
    for i, reason in enumerate(bad_sounds()):
        (named,) = [names for problem, names in errors.items() if reason in problem]
        assert f"low/bad{i}.wav" in named
    assert any("low/other.flac" in names for names in errors.values())


def test_silence_rates_and_copies_are_found(folder):
    examples = read(DatasetRef("dir", str(folder)))
    found = list(sound_findings(examples, is_dropped=False))
    assert _problems(found, "warning")["silent: every sample is the same"] == (
        "low/silent.wav",
    )
    notes = _problems(found, "note")
    assert notes["several rates, all brought to 8000 Hz"][1] == "44100 Hz: 1"
    assert any("copy.wav" in str(finding.about) for finding in found)


def test_run_refuses_bad_sounds_before_training(folder):
    with pytest.raises(DataError, match=r"sound files cannot be used") as refused:
        load(DatasetRef("dir", str(folder)))
    assert "zoo check --fix" not in str(refused.value)
    assert "on_bad=skip" in str(refused.value)


def test_class_without_a_sound_is_an_error(tmp_path):
    folder = write_tones(tmp_path, each=3)
    (folder / "none").mkdir()
    errors = _problems(audit(DatasetRef("dir", str(folder))).findings, "error")
    assert errors["a class without a sound"] == ("none",)
