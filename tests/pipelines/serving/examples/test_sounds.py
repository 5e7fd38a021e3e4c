"""Sounds as callers pass them."""

import io

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.serving.examples.sounds import sound_bytes


def test_bytes_paths_and_open_files_are_read(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with path.open("rb") as stream:
        forms = (b"RIFF", bytearray(b"RIFF"), path, str(path), io.BytesIO(b"RIFF"))
        assert {sound_bytes(form) for form in (*forms, stream)} == {b"RIFF"}


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="none.wav' cannot be read as a file"):
        sound_bytes(tmp_path / "none.wav")


def test_samples_come_with_the_way_to_a_file():
    with pytest.raises(DataError, match="scipy.io.wavfile.write"):
        sound_bytes(np.zeros(100))
