"""Augmented series follow from seed, epoch and example, and keep gaps and shape."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.input.augment_series import SeriesAugmentation, series_augmenter
from pipelines.data.input.batches import training_batches
from pipelines.data.input.order import Sample
from pipelines.data.splits import Series, Split

STEPS = 60
WAVE = np.stack([np.sin(np.arange(STEPS) / 5), 100 + np.arange(STEPS)], axis=1).astype(
    np.float32
)
ALL = SeriesAugmentation(jitter=0.1, scaling=0.3, warp=0.5, window=0.6)


def _changed(augmentation, *, seed=0, epoch=0, index=0, series=WAVE):
    sample = Sample(*(tf.constant(n, tf.int64) for n in (index, epoch, 0)))
    change = series_augmenter(augmentation, seed=seed)
    return change(tf.constant(series), sample).numpy()


def test_nothing_is_changed_without_an_operation():
    np.testing.assert_allclose(_changed(SeriesAugmentation()), WAVE, atol=1e-4)


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}, {"index": 1}])
def test_change_follows_from_seed_epoch_and_example(other):
    first = _changed(ALL)
    np.testing.assert_array_equal(first, _changed(ALL))
    assert first.shape == WAVE.shape
    assert np.abs(first - _changed(ALL, **other)).max() > 0.01


def test_jitter_is_in_deviations_of_a_channel():
    noise = _changed(SeriesAugmentation(jitter=0.1)) - WAVE
    ratio = noise.std(axis=0) / WAVE.std(axis=0)
    np.testing.assert_allclose(ratio, 0.1, rtol=0.35)


def test_scaling_stays_within_its_share():
    changed = _changed(SeriesAugmentation(scaling=0.3))
    centred, before = changed - WAVE.mean(axis=0), WAVE - WAVE.mean(axis=0)
    assert (np.abs(centred - before) <= 0.3 * np.abs(before) + 1e-3).all()
    assert np.abs(centred - before).max() > 0.01


def test_window_keeps_a_part_in_order():
    """The second channel is a line, so its values are the places that were read."""
    places = _changed(SeriesAugmentation(window=0.5))[:, 1] - 100
    assert 0.5 * (STEPS - 1) - 0.01 <= places[-1] - places[0] < STEPS - 1
    assert np.diff(places).min() > 0


def test_warp_changes_speed_and_keeps_ends():
    places = _changed(SeriesAugmentation(warp=0.5))[:, 1] - 100
    assert places[0] == 0
    assert places[-1] == pytest.approx(STEPS - 1, abs=1e-3)
    assert np.diff(places).min() > 0.3
    assert np.ptp(np.diff(places)) > 0.1


def test_missing_values_stay_missing():
    series = WAVE.copy()
    series[20:30, 0] = series[50:] = np.nan
    changed = _changed(SeriesAugmentation(jitter=0.1, scaling=0.2), series=series)
    np.testing.assert_array_equal(np.isnan(changed), np.isnan(series))
    some = _changed(ALL, series=series)
    assert 0 < np.isnan(some).mean() < 0.6


def test_batches_of_series_are_augmented():
    values = np.stack([WAVE, WAVE + 1, WAVE + 2])
    split = Split("train", Series(values), np.arange(3))
    options = {"input_size_px": None, "batch_size": 2, "seed": 0}
    augmented = training_batches(split, augmentation=ALL, **options)
    plain = training_batches(split, **options)
    for (x, y), (raw, same) in zip(augmented.take(3), plain.take(3)):
        np.testing.assert_array_equal(y, same)
        assert x.shape == raw.shape
        assert np.abs(x - raw).max() > 0.01
