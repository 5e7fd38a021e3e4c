"""Measures of numbers."""

import numpy as np
import pytest

from pipelines.problems.number_reports import r2, report

TRUTH = np.float32([[0, 10], [1, 20], [2, 30]])


def test_errors_are_in_the_units_of_each_target():
    values = TRUTH + np.array([[0.0, 3.0], [1.0, -3.0], [-1.0, 0.0]])
    half = np.array([0.5, 3.0])
    answers = {
        "values": values,
        "lower": values - half,
        "upper": values + half,
        "accepted": np.array([True, True, False]),
    }
    made = report("test", TRUTH, answers, ("small", "large"))
    assert made.per_target["small"]["mean_absolute_error"] == pytest.approx(2 / 3)
    assert made.per_target["large"]["mean_absolute_error"] == pytest.approx(2)
    assert made.mean_absolute_error == pytest.approx(4 / 3)
    assert made.per_target["small"]["coverage"] == pytest.approx(1 / 3)
    assert made.coverage == pytest.approx(4 / 6)
    assert made.mean_width == pytest.approx(3.5)
    assert made.accepted == pytest.approx(2 / 3)
    assert made.per_target["small"]["r2"] == pytest.approx(1 - 2 / 2)


def test_nothing_is_explained_of_a_constant():
    assert r2(np.ones((3, 1)), np.ones((3, 1))).tolist() == [0.0]
