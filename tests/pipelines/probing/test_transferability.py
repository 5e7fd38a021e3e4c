"""LogME, H-score and LEEP against other ways to compute them, and where they end."""

import tracemalloc

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, ortho_group
from sklearn.covariance import LedoitWolf

from pipelines.probing.transferability import h_score, leep, logme

SCORES = {"logme": logme, "h_score": h_score}


def _data(rows=40, width=6, classes=3, *, apart=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = np.random.default_rng(7).normal(size=(classes, width))
    return apart * centres[labels] + rng.normal(size=(rows, width)), labels


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)], ids=["long", "wide"])
def test_logme_is_the_largest_density_of_the_labels(shape):
    """A normal with covariance `I / noise + x x^T / weights`, searched in the plane."""
    x, labels = _data(*shape)

    def least(target):
        def minus_log_density(logs):
            covariance = np.exp(-logs[0]) * np.eye(len(x)) + np.exp(-logs[1]) * x @ x.T
            return -multivariate_normal.logpdf(target, cov=covariance)

        start = (1.0, 1.0)
        return minimize(minus_log_density, start, method="Nelder-Mead", tol=1e-8).fun

    targets = np.eye(3)[labels].T
    expected = -np.mean([least(target) for target in targets]) / len(x)
    assert logme(x, labels) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(60, 6), (20, 40)], ids=["long", "wide"])
def test_h_score_equals_the_published_formula(shape):
    x, labels = _data(*shape)
    fitted = LedoitWolf().fit(x)
    means = np.stack([x[labels == one].mean(axis=0) for one in labels])
    between = np.cov(means, rowvar=False, bias=True)
    shrunk = (1 - fitted.shrinkage_) * between
    expected = np.trace(np.linalg.inv(fitted.covariance_) @ shrunk)
    assert h_score(x, labels) == pytest.approx(expected, rel=1e-6)


def test_h_score_of_wide_features_needs_little_memory():
    """As of MiniRocket: a covariance of them would have 800 MB."""
    x, labels = _data(40, 10_000, apart=0.1)
    tracemalloc.start()
    try:
        assert 0 < h_score(x, labels) < 2
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_h_score_of_point_classes_is_nearly_maximal():
    rng = np.random.default_rng(0)
    labels = np.arange(3000) % 4
    x = np.eye(4)[labels] + rng.normal(scale=1e-3, size=(3000, 4))
    assert 2.9 < h_score(x, labels) < 3.0


def test_leep_counts_how_labels_go_with_answers():
    answers = np.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    labels = np.array([0, 1, 1])
    of_source = answers.sum(axis=0)
    of_zero = answers[0] / of_source
    likelihoods = [
        answers[0] @ of_zero,
        answers[1] @ (1 - of_zero),
        answers[2] @ (1 - of_zero),
    ]
    assert leep(answers, labels) == pytest.approx(np.mean(np.log(likelihoods)))


def test_leep_ranges_from_zero_to_minus_the_entropy():
    labels = np.array([0, 0, 0, 1, 2, 2])
    shares = np.bincount(labels) / len(labels)
    assert leep(np.eye(5)[labels], labels) == pytest.approx(0.0)
    same = np.tile([0.2, 0.8], (len(labels), 1))
    assert leep(same, labels) == pytest.approx((shares * np.log(shares)).sum())


def test_leep_ignores_source_classes_that_never_occur():
    labels = np.array([0, 1, 1])
    answers = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.5]])
    without = answers[:, [0, 2]]
    assert leep(answers, labels) == pytest.approx(leep(without, labels))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("shape", [(60, 6), (20, 40)], ids=["long", "wide"])
def test_scores_ignore_rotation_scale_and_class_order(name, shape):
    x, labels = _data(*shape)
    score = SCORES[name]
    expected = score(x, labels)
    rotated = x @ ortho_group.rvs(x.shape[1], random_state=0)
    for other in (rotated, 1e3 * x, x[::-1]):
        given = labels[::-1] if other.base is x else labels
        assert score(other, given) == pytest.approx(expected, rel=1e-4)
    assert score(x, 5 + 2 * labels) == pytest.approx(expected)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("shape", [(60, 6), (20, 40)], ids=["long", "wide"])
def test_separated_classes_score_higher_than_shuffled_ones(name, shape):
    x, labels = _data(*shape, apart=3.0)
    shuffled = np.random.default_rng(1).permutation(labels)
    near, _ = _data(*shape, apart=0.3)
    score = SCORES[name]
    assert score(x, labels) > score(near, labels)
    assert score(x, labels) > score(x, shuffled)


def test_h_score_of_wide_noise_is_low():
    """Without shrinkage it would be that of perfect features: classes - 1."""
    noise = np.random.default_rng(0).normal(size=(30, 200))
    assert h_score(noise, np.arange(30) % 3) < 0.7
    apart, labels = _data(30, 200, apart=3.0)
    assert h_score(apart, labels) > 1.4


def test_constant_features_do_not_fail():
    labels = np.arange(12) % 3
    constant = np.full((12, 4), 2.0)
    assert h_score(constant, labels) == 0.0
    assert logme(np.zeros((12, 4)), labels) == pytest.approx(
        0.5 * (np.log(3) - 1 - np.log(2 * np.pi))
    )
    # A constant is an intercept, and so a little better than nothing.
    assert logme(constant, labels) > logme(np.zeros((12, 4)), labels)
    x, _ = _data(12, 3)
    padded = np.concatenate([x, constant], axis=1)
    repeated = np.concatenate([x, x], axis=1)
    assert h_score(padded, labels) == pytest.approx(h_score(x, labels))
    assert np.isfinite([h_score(repeated, labels), logme(repeated, labels)]).all()


def test_one_example_per_class_gives_finite_scores():
    x, labels = np.random.default_rng(0).normal(size=(4, 9)), np.arange(4)
    assert np.isfinite([logme(x, labels), h_score(x, labels)]).all()


@pytest.mark.parametrize("score", [logme, h_score, leep], ids=lambda one: one.__name__)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_nan_features_are_refused(score, wrong):
    values, labels = np.full((6, 3), 1 / 3), np.arange(6) % 2
    assert np.isfinite(score(values, labels))
    values[4, 1] = wrong
    with pytest.raises(ValueError, match="NaN or infinite"):
        score(values, labels)
