"""Files of every form become the same samples, and bad ones spoil no other."""

import struct

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.sounds.inspect_sound import inspect_sound
from pipelines.data.sounds.wave_file import wave_bytes
from tests.support.tones import RATE_HZ, bad_sounds, tone
from zoo.sounds.decode import WaveHeaders, headers, is_finite, samples

FORMS = {
    "8": {"bits": 8},
    "16": {},
    "24": {"bits": 24},
    "32": {"bits": 32},
    "float": {"bits": 32, "floating": True},
    "double": {"bits": 64, "floating": True},
    "extensible": {"bits": 24, "extensible": True},
}


def _first(content):
    parts = headers(tf.constant([content]))
    return WaveHeaders(*(part[0] for part in parts))


def _samples(content, *, rate_hz=RATE_HZ, most=100_000):
    read = samples(tf.constant(content), _first(content), rate_hz=rate_hz, most=most)
    return read.numpy()


@pytest.mark.parametrize("form", FORMS)
def test_samples_of_every_form_are_the_same(form):
    x = tone(440)
    read = _samples(wave_bytes(x, RATE_HZ, **FORMS[form]))
    assert read.shape == x.shape
    assert np.abs(read - x).max() <= (0.5 / 128 if form == "8" else 2.0**-15)


def test_sixteen_bits_are_read_as_tensorflow_does():
    content = wave_bytes(tone(440), RATE_HZ)
    theirs = tf.audio.decode_wav(content).audio.numpy()[:, 0]
    np.testing.assert_array_equal(_samples(content), theirs)


def test_channels_are_averaged_in_24_bits():
    left, right = tone(300), tone(900, seed=1)
    read = _samples(wave_bytes(np.stack([left, right], 1), RATE_HZ, bits=24))
    np.testing.assert_allclose(read, (left + right) / 2, atol=1e-6)


def test_of_a_longer_sound_the_middle_is_read():
    x = tone(440)
    np.testing.assert_allclose(
        _samples(wave_bytes(x, RATE_HZ), most=1_001), x[699:1_700], atol=2.0**-15
    )


def test_other_chunks_before_samples_are_passed_over():
    content = wave_bytes(tone(440), RATE_HZ)
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    longer = content[:12] + odd + content[12:36] + odd + content[36:]
    np.testing.assert_array_equal(_samples(longer), _samples(content))


def test_size_that_nobody_knew_is_the_rest():
    content = bytearray(wave_bytes(tone(440), RATE_HZ))
    content[40:44] = b"\xff\xff\xff\xff"
    assert len(_samples(bytes(content))) == len(tone(440))


def test_graph_and_data_check_agree_on_bad_files():
    files = list(bad_sounds().values())
    parts = headers(tf.constant(files))
    finite = [
        bool(is_finite(tf.constant(f), WaveHeaders(*(part[i] for part in parts))))
        for i, f in enumerate(files)
    ]
    valid = parts.valid.numpy() & finite
    assert not valid.any()
    assert all(inspect_sound(content).bad for content in files)


def test_every_cut_of_a_file_is_judged_alike():
    """A file that was cut anywhere: in its header, in a chunk, in its samples."""
    whole = wave_bytes(tone(440), RATE_HZ, bits=24, extensible=True)
    cuts = [whole[:end] for end in (*range(0, 90), len(whole) - 1, len(whole))]
    valid = headers(tf.constant(cuts)).valid.numpy()
    assert valid.tolist() == [not inspect_sound(cut).bad for cut in cuts]
    assert valid.sum() == 1


def test_random_bytes_in_a_header_stop_nothing():
    rng = np.random.default_rng(0)
    whole = bytearray(wave_bytes(tone(440), RATE_HZ))
    files = []
    for _ in range(200):
        changed = bytearray(whole)
        for at in rng.integers(4, 44, 3):
            changed[at] = rng.integers(256)
        files.append(bytes(changed))
    parts = headers(tf.constant(files))
    assert parts.valid.numpy().tolist() == [not inspect_sound(f).bad for f in files]
    for i in np.flatnonzero(parts.valid.numpy()):
        row = WaveHeaders(*(part[i] for part in parts))
        read = samples(tf.constant(files[i]), row, rate_hz=RATE_HZ, most=3_000)
        assert np.isfinite(read.numpy()).all()
