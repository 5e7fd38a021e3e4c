"""The matrix profile says at which steps a series has another shape."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.probing.detector import fit_detector
from pipelines.probing.profile import (
    fit_profile,
    over_steps,
    shapes_of,
    with_profile,
)

RNG = np.random.default_rng(0)
STEPS = 96


def drawn(count):
    phase = RNG.uniform(0, 2 * np.pi, (count, 1, 1))
    place = np.linspace(0, 10 * np.pi, STEPS)[None, :, None]
    size = RNG.uniform(1, 50, (count, 1, 1))
    return size * (np.sin(place + phase) + RNG.normal(0, 0.05, (count, STEPS, 1)) + 9)


NORMAL, NEW, STRANGE = drawn(20), drawn(20), drawn(20)
STRANGE[:, 50:62] = STRANGE[:, 50:51]


def detector_of(series):
    averages = [series.mean(axis=1).astype(np.float32)]
    return with_profile(fit_detector(averages).of_method("matrix_profile"), series)


def test_strange_shapes_are_found_whatever_their_size():
    detector = detector_of(NORMAL)
    scores = detector.scores_of_series(np.concatenate([NEW, STRANGE]))
    assert roc_auc_score(np.arange(40) >= 20, scores) > 0.95
    places = detector.profile.by_step(STRANGE).argmax(axis=1)
    assert np.mean((places >= 40) & (places <= 72)) > 0.9
    assert detector.profile.by_step(NEW).mean() == pytest.approx(1.0, rel=0.2)


def test_distances_are_those_of_all_pairs():
    profile = fit_profile(NORMAL[:3])
    bank = np.concatenate(
        [shapes_of(one, profile.steps, profile.flat) for one in NORMAL[:3]]
    )
    shapes = shapes_of(NEW[0], profile.steps, profile.flat)
    apart = np.linalg.norm(shapes[:, None] - bank[None], axis=2).min(axis=1)
    given = profile.distances(NEW[:1])[0] * np.sqrt(2 * profile.steps)
    np.testing.assert_allclose(given, apart, rtol=1e-6)


def test_shapes_have_no_size_or_none():
    series = np.concatenate([NEW[0], np.full((STEPS, 1), 5.0)], axis=1)
    shapes = shapes_of(series, 8, np.array([0.1, 0.1])).reshape(-1, 8, 2)
    np.testing.assert_allclose(shapes.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(shapes[..., 0].std(axis=1), 1)
    assert not shapes[..., 1].any()


def test_step_has_the_mean_of_its_windows():
    given = over_steps(np.array([[1.0, 2.0, 6.0]]), 2)
    assert given.tolist() == [[1.0, 1.5, 4.0, 6.0]]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("length", [8, 40])
def test_a_few_short_series_give_finite_scores(count, length):
    few = NORMAL[:count, :length]
    assert np.isfinite(detector_of(few).scores_of_series(NEW[:, :length])).all()


def test_constant_series_find_whatever_moves():
    constant = np.full((10, 40, 1), 7.0)
    detector = detector_of(constant)
    moved = constant[:1].copy()
    moved[0, 20] += 0.1
    usual, strange = detector.scores_of_series(np.concatenate([constant[:1], moved]))
    assert usual == 0
    assert strange > 100
