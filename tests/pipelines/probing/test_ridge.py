"""The ridge in closed form against fits that really leave rows out."""

import numpy as np
import pytest

from pipelines.probing import ridge


def _data(rows, width, *, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    return rng.normal(size=(rows, width)) + labels[:, None] * 0.3, labels


def _mean_squared_norm(x):
    return np.square(x - x.mean(axis=0)).sum(axis=1).mean()


def _fit_plainly(x, targets, penalty):
    mean, offset = x.mean(axis=0), targets.mean(axis=0)
    a = (x - mean).T @ (x - mean) + penalty * np.eye(x.shape[1])
    kernel = np.linalg.solve(a, (x - mean).T @ (targets - offset))
    return kernel, offset - mean @ kernel


@pytest.mark.parametrize("shape", [(30, 50), (60, 12)], ids=["wide", "long"])
@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 2, 3)], ids=str)
def test_left_out_scores_equal_fits_without_the_group(shape, sizes):
    x, labels = _data(*shape)
    groups = np.repeat(np.arange(len(x)), np.resize(sizes, len(x)))[: len(x)]
    found = ridge.fit(x, labels, groups=groups)
    penalty = found.penalty * _mean_squared_norm(x)
    targets = np.eye(3)[labels]
    for group in np.unique(groups):
        own = groups == group
        kernel, bias = _fit_plainly(x[~own], targets[~own], penalty)
        assert found.left_out[own] == pytest.approx(x[own] @ kernel + bias, abs=1e-5)


@pytest.mark.parametrize("shape", [(30, 50), (60, 12)], ids=["wide", "long"])
def test_kernel_and_bias_solve_the_normal_equations(shape):
    x, labels = _data(*shape)
    found = ridge.fit(x, labels)
    penalty = found.penalty * _mean_squared_norm(x)
    kernel, bias = _fit_plainly(x, np.eye(3)[labels], penalty)
    assert found.kernel == pytest.approx(kernel, abs=1e-5)
    assert found.bias == pytest.approx(bias, abs=1e-5)
    again = ridge.solve(x, labels, penalty=found.penalty)
    assert again[0] == pytest.approx(found.kernel, abs=1e-5)
    assert again[1] == pytest.approx(found.bias, abs=1e-5)


def test_rows_of_one_group_are_left_out_together():
    # Every row twice, with labels that mean nothing: the twin gives the answer away.
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(40, 200)), 2, axis=0)
    labels = np.repeat(rng.permutation(np.arange(40) % 2), 2)
    alone = ridge.fit(x, labels).left_out.argmax(axis=1) == labels
    together = ridge.fit(x, labels, groups=np.repeat(np.arange(40), 2)).left_out
    assert alone.mean() > 0.95
    assert (together.argmax(axis=1) == labels).mean() < 0.7


def test_constant_features_give_the_shares_of_the_classes():
    labels = np.array([0, 0, 1])
    found = ridge.fit(np.ones((3, 4)), labels)
    assert found.kernel == pytest.approx(np.zeros((4, 2)))
    assert found.bias == pytest.approx([2 / 3, 1 / 3])
    assert np.isfinite(found.left_out).all()


def test_a_nan_feature_is_refused():
    x, labels = _data(9, 4)
    assert np.isfinite(ridge.fit(x, labels).kernel).all()
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ridge.fit(x, labels)


def _fit_weighted(x, targets, penalty, weights):
    mean, offset = (np.average(v, axis=0, weights=weights) for v in (x, targets))
    of_rows = weights[:, None] * (x - mean)
    a = of_rows.T @ (x - mean) + penalty * np.eye(x.shape[1])
    kernel = np.linalg.solve(a, of_rows.T @ (targets - offset))
    return kernel, offset - mean @ kernel


WEIGHTS = np.random.default_rng(1).uniform(0.1, 4, 60)


@pytest.mark.parametrize("shape", [(30, 50), (60, 12)], ids=["wide", "long"])
@pytest.mark.parametrize("size", [1, 2])
def test_weighted_rows_equal_weighted_normal_equations(shape, size):
    x, labels = _data(*shape)
    weights, targets = WEIGHTS[: len(x)], np.eye(3)[labels]
    groups = np.arange(len(x)) // size
    fitted = ridge.fit(x, labels, groups=groups, weights=weights)
    share = weights / weights.mean()
    mean = np.average(x, axis=0, weights=weights)
    norm = np.average(np.square(x - mean).sum(axis=1), weights=weights)
    penalty = fitted.penalty * norm
    kernel, bias = _fit_weighted(x, targets, penalty, share)
    for ours in (
        (fitted.kernel, fitted.bias),
        ridge.solve(x, labels, penalty=fitted.penalty, weights=5 * weights),
        ridge.solve_targets(x, targets, penalty=fitted.penalty, weights=weights),
    ):
        assert ours[0] == pytest.approx(kernel, abs=1e-5)
        assert ours[1] == pytest.approx(bias, abs=1e-5)
    unweighted, _ = ridge.solve(x, labels, penalty=fitted.penalty)
    assert np.abs(unweighted - kernel).max() > 1e-3
    judged = np.arange(6)
    some = ridge.left_out(
        x, labels, judged, penalty=fitted.penalty, groups=groups, weights=weights
    )
    assert some == pytest.approx(fitted.left_out[judged], abs=1e-5)
    for group in np.unique(groups):
        own = groups == group
        kernel, bias = _fit_weighted(x[~own], targets[~own], penalty, share[~own])
        assert fitted.left_out[own] == pytest.approx(x[own] @ kernel + bias, abs=1e-5)


def test_a_row_of_weight_zero_is_no_part():
    x, labels = _data(30, 12)
    with pytest.raises(ValueError, match="weight 0 is not part of a fit"):
        ridge.fit(x, labels, weights=np.arange(30.0))
