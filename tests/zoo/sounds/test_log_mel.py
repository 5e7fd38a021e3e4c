"""The bands of sounds: where a tone lies, what does not count, and the same bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.sounds.wave_file import wave_bytes
from tests.support.tones import RATE_HZ, tone
from zoo.sounds.log_mel import LogMel, steps_for


@pytest.fixture(scope="module")
def layer():
    return LogMel(rate_hz=RATE_HZ, length_ms=300, bands=20)


def _bands(layer, *contents):
    return layer(tf.constant(contents)).numpy()


def test_steps_are_ten_milliseconds_each(layer):
    (bands,) = _bands(layer, wave_bytes(tone(440, seconds=0.3), RATE_HZ))
    assert bands.shape == (steps_for(300), 20) == (27, 20)
    assert np.isfinite(bands).all()
    assert bands.max() == 0.0
    assert bands.min() >= -80.0


def test_higher_tone_is_in_a_higher_band(layer):
    files = [wave_bytes(tone(hertz), RATE_HZ) for hertz in (200, 500, 1_200, 3_000)]
    loudest = np.nanmean(_bands(layer, *files), axis=1).argmax(axis=1)
    assert (np.diff(loudest) > 0).all()


def test_level_of_a_recording_does_not_count(layer):
    x = tone(440)
    loud, quiet = (wave_bytes(f * x, RATE_HZ, bits=32) for f in (1, 0.01))
    np.testing.assert_allclose(*_bands(layer, loud, quiet), atol=0.01)


def test_steps_after_the_end_are_missing(layer):
    (bands,) = _bands(layer, wave_bytes(tone(440, seconds=0.1), RATE_HZ))
    assert np.isfinite(bands[: steps_for(100)]).all()
    assert np.isnan(bands[steps_for(100) :]).all()


def test_same_sound_at_another_rate_looks_alike(layer):
    files = [wave_bytes(tone(440, rate_hz=r), r) for r in (RATE_HZ, 44_100)]
    near, far = _bands(layer, *files)
    # Where there is a tone; noise is another one.
    is_loud = near > -20
    assert np.abs(near - far)[is_loud].max() < 1.5


def test_bits_do_not_depend_on_the_batch(layer):
    files = [wave_bytes(tone(300 + 90 * i, seed=i), RATE_HZ) for i in range(9)]
    alone = np.concatenate([_bands(layer, file) for file in files])
    np.testing.assert_array_equal(_bands(layer, *files), alone)
    traced = tf.function(lambda x: layer(x), autograph=False)(tf.constant(files))
    np.testing.assert_array_equal(traced.numpy(), alone)


def test_bad_and_silent_files_are_silence(layer):
    silence = wave_bytes(np.zeros(2_400), RATE_HZ)
    bands = _bands(layer, b"", b"no sound", silence)
    assert np.unique(bands[np.isfinite(bands)]).tolist() == [-80.0]
    assert layer(tf.constant([], tf.string)).shape == (0, 27, 20)


def test_layer_is_loaded_with_its_settings(tmp_path, layer):
    files = keras.Input((), dtype="string")
    keras.Model(files, layer(files)).save(tmp_path / "bands.keras")
    loaded = keras.models.load_model(tmp_path / "bands.keras")
    content = tf.constant([wave_bytes(tone(440), RATE_HZ)])
    np.testing.assert_array_equal(loaded(content), layer(content))
