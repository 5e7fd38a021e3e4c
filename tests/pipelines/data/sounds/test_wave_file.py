"""Files are what Python's own reader takes them for."""

import io
import wave

import numpy as np
import pytest

from pipelines.data.sounds.wave_file import wave_bytes


@pytest.mark.parametrize(("bits", "width"), [(8, 1), (16, 2), (24, 3), (32, 4)])
def test_python_reads_what_was_written(bits, width):
    content = wave_bytes(np.zeros((101, 2)), 11_025, bits=bits)
    with wave.open(io.BytesIO(content)) as read:
        assert read.getparams()[:4] == (2, width, 11_025, 101)


def test_bits_that_no_sample_has_are_refused():
    with pytest.raises(ValueError, match="bits is 12"):
        wave_bytes(np.zeros(9), 8_000, bits=12)
