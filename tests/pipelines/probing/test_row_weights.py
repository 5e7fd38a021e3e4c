"""Multiplied rows have the means and products of rows that are repeated."""

import numpy as np
import pytest

from pipelines.probing.row_weights import (
    around_mean,
    around_offset,
    roots_of,
    shares_of,
    times,
)

WEIGHTS = np.array([1, 3, 2, 2], np.float32)
REPEATED = np.repeat(np.arange(4), WEIGHTS.astype(int))
ROWS = np.random.default_rng(0).normal(size=(4, 3))
ROOTS = roots_of(WEIGHTS)


def test_only_ratios_of_weights_matter():
    np.testing.assert_allclose(roots_of(5 * WEIGHTS), ROOTS)
    assert np.square(ROOTS).mean() == pytest.approx(1)
    assert roots_of(None) is None
    with pytest.raises(ValueError, match="weight 0"):
        roots_of(np.zeros(2))


@pytest.mark.parametrize("around", [around_mean, around_offset])
def test_weighted_products_are_those_of_repeated_rows(around):
    x, mean = around(ROWS, ROOTS)
    repeated, plain_mean = around(ROWS[REPEATED], None)
    np.testing.assert_allclose(mean, plain_mean)
    np.testing.assert_allclose(x.T @ x / 4, repeated.T @ repeated / 8)
    np.testing.assert_array_equal(times(ROWS, None), ROWS)


def test_shares_count_by_weights():
    labels = np.array([0, 1, 1, 0])
    np.testing.assert_allclose(shares_of(labels, 3, ROOTS), [3 / 8, 5 / 8, 0])
    np.testing.assert_allclose(shares_of(labels, 2, None), [0.5, 0.5])
