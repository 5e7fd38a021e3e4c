"""Detectors of windows say at which steps a series is strange."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.probing.detector import fit_detector
from pipelines.probing.windows import fit_windows, has_windows, with_windows

RNG = np.random.default_rng(0)
STEPS = 120


def drawn(count, channels=2):
    phase = RNG.uniform(0, 2 * np.pi, (count, 1, channels))
    place = np.linspace(0, 12 * np.pi, STEPS)[None, :, None]
    values = np.sin(place + phase) * [100.0, 0.01][:channels]
    noise = RNG.normal(size=values.shape) * [1.0, 0.0001][:channels]
    return (values + noise + 1000).astype(np.float64)


NORMAL, NEW, STRANGE = drawn(60), drawn(40), drawn(40)
STRANGE[:, 70:76, 1] += 0.01


def detector_of(series):
    averages = [series.mean(axis=1).astype(np.float32)]
    return with_windows(fit_detector(averages).of_method("windows"), series)


def test_strange_steps_are_found_in_any_channel():
    detector = detector_of(NORMAL)
    by_step = detector.windows.by_step(STRANGE)
    assert by_step.shape == (40, STEPS)
    places = by_step.argmax(axis=1)
    assert np.mean((places >= 68) & (places <= 77)) > 0.9
    usual = np.square(detector.windows.by_step(NEW)).mean()
    assert usual == pytest.approx(1.0, rel=0.3)
    scores = detector.scores_of_series(np.concatenate([NEW, STRANGE]))
    assert roc_auc_score(np.arange(80) >= 40, scores) > 0.95


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (2, 2), (3, 1)])
def test_a_few_series_give_finite_scores(count, channels):
    few = NORMAL[:count, :, :channels]
    scores = detector_of(few).scores_of_series(NEW[:, :, :channels])
    assert np.isfinite(scores).all()


def test_constant_series_find_whatever_moves():
    constant = np.full((10, 40, 1), 7.0)
    detector = detector_of(constant)
    moved = constant[:1].copy()
    moved[0, 20] += 0.1
    usual, strange = detector.scores_of_series(np.concatenate([constant[:1], moved]))
    assert strange > 100 * max(usual, 1e-3)


@pytest.mark.parametrize("length", [8, 9, 2000])
def test_windows_fit_series_of_any_length(length):
    series = RNG.normal(size=(6, length, 3)).cumsum(axis=1)
    model = fit_windows(series)
    assert 4 <= model.steps <= 64
    assert np.isfinite(model.by_step(series)).all()


def test_lengths_out_of_bounds_have_no_windows():
    assert [has_windows(steps) for steps in (7, 8, 20_000, 20_001)] == [
        False,
        True,
        True,
        False,
    ]
