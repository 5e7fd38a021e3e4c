"""The mean of windows at each step is what NumPy gives."""

import numpy as np

from pipelines.probing.profile import over_steps
from pipelines.problems.anomalies.by_step import mean_by_step


def test_mean_is_over_windows_with_the_step():
    by_window = np.random.default_rng(0).normal(size=(3, 5))
    found = mean_by_step([by_window] * 4)
    assert found.shape == (3, 8)
    np.testing.assert_allclose(found, over_steps(by_window, 4), rtol=1e-12)


def test_steps_of_a_window_count_where_they_lie():
    first, second = np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])
    np.testing.assert_allclose(mean_by_step([first, second]), [[1.0, 6.0, 20.0]])
