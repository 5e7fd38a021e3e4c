"""Distances in the space of features find what is unlike the training data."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from pipelines.calibration import feature_space
from pipelines.calibration.feature_space import fit_feature_space


def _features(n, *, width=64, classes=4, seed=0, centres_seed=7):
    centres = np.random.default_rng(centres_seed).uniform(0, 4, (classes, width))
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return centres[labels] + rng.normal(0, 0.3, (n, width)), labels


def test_distances_with_all_directions_are_mahalanobis():
    features, labels = _features(400, width=6)
    space = fit_feature_space(features, labels)
    assert space.outside_weight == 0
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    means = np.stack([unit[labels == k].mean(axis=0) for k in range(4)])
    covariance, _ = ledoit_wolf(unit - means[labels], assume_centered=True)
    precision = np.linalg.inv(covariance)
    apart = unit[:, None] - means
    wanted = np.sqrt(np.einsum("nki,ij,nkj->nk", apart, precision, apart).min(axis=1))
    np.testing.assert_allclose(space.distances(features), wanted, rtol=1e-4)


def test_new_examples_are_near_and_strangers_are_far():
    space = fit_feature_space(*_features(200))
    usual = np.quantile(space.distances(_features(200, seed=1)[0]), 0.99)
    rng = np.random.default_rng(2)
    strangers = {
        "another class": _features(50, seed=2, centres_seed=8)[0],
        "short, as of noise": rng.uniform(0, 0.01, (50, 64)),
        "nothing at all": np.zeros((3, 64)),
    }
    for name, features in strangers.items():
        assert (space.distances(features) > 1.5 * usual).all(), name


def test_the_length_of_features_does_not_count():
    features, labels = _features(100)
    space = fit_feature_space(features, labels)
    np.testing.assert_allclose(
        space.distances(3 * features), space.distances(features), rtol=1e-9
    )


def test_size_bytes_is_the_size_of_its_arrays(monkeypatch):
    features, labels = _features(600, width=1280, classes=10)
    space = fit_feature_space(features, labels)
    assert space.axes.shape == (1280, 32)
    assert space.means.shape == (10, 32)
    assert space.size_bytes == 4 * (1280 + 1280 * 32 + 32 * 32 + 10 * 32) == 174_336
    monkeypatch.setattr(feature_space, "_MOST_NUMBERS", 1280 * 8)
    assert fit_feature_space(features, labels).axes.shape == (1280, 8)


def test_one_example_per_class_gives_a_space():
    features, labels = _features(4)
    space = fit_feature_space(features, labels)
    found = space.distances(features)
    assert np.isfinite(found).all()
    strangers, _ = _features(8, seed=2, centres_seed=8)
    assert (space.distances(strangers) > found.max()).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: x[:2],
        lambda x: np.ones_like(x),
        lambda x: np.zeros_like(x),
        lambda x: np.where(np.arange(len(x))[:, None] == 5, np.nan, x),
    ],
    ids=["two examples", "constant", "zeros", "nan"],
)
def test_features_that_say_nothing_give_no_space(spoil):
    features, labels = _features(40)
    assert fit_feature_space(features, labels) is not None
    spoilt = spoil(features)
    assert fit_feature_space(spoilt, labels[: len(spoilt)]) is None


def test_dead_and_doubled_features_do_no_harm():
    features, labels = _features(40)
    features[:, 3] = 0
    features[:, 5] = features[:, 4]
    space = fit_feature_space(features, labels)
    assert np.isfinite(space.distances(features)).all()


def test_a_space_without_spread_is_none():
    """All examples point the same way but for rounding, as after a short run."""
    features, labels = _features(100)
    same = np.ones(64) + 1e-6 * features
    assert fit_feature_space(same, labels) is None
    assert fit_feature_space(np.ones(64) + 1e-2 * features, labels) is not None
