"""A tone stays a tone at another rate, and what that cannot hold is gone."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.tones import tone
from zoo.sounds.resample import resampled


@pytest.mark.parametrize("before", [8_000, 11_025, 22_050, 44_100, 44_101, 48_000])
@pytest.mark.parametrize("after", [8_000, 16_000])
def test_tone_keeps_its_pitch_length_and_level(before, after):
    seconds = 0.5
    time = np.arange(int(before * seconds)) / before
    x = np.sin(2 * np.pi * 440 * time).astype("float32")
    made = resampled(tf.constant(x), tf.constant(before), to_hz=after, most=99_999)
    assert len(made) == len(x) * after // before
    expected = np.sin(2 * np.pi * 440 * np.arange(len(made)) / after)
    middle = slice(len(made) // 10, -len(made) // 10)
    assert np.abs(made.numpy() - expected)[middle].max() < 0.02


def test_frequencies_beyond_the_new_rate_are_cut():
    x = tone(7_000, rate_hz=44_100).astype("float32")
    made = resampled(tf.constant(x), tf.constant(44_100), to_hz=8_000, most=99_999)
    assert np.std(made.numpy()) < 0.1 * np.std(x)  # noise is left


def test_no_samples_give_no_samples():
    made = resampled(tf.zeros([0]), tf.constant(1_000), to_hz=8_000, most=10)
    assert made.shape == (0,)
