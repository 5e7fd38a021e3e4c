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
