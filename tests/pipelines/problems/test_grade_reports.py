"""Measures of grades."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pipelines.problems.class_reports import summarize
from pipelines.problems.grade_reports import quadratic_kappa, with_kappa

RNG = np.random.default_rng(0)
GRADES = RNG.integers(0, 5, 200)
ANSWERS = np.clip(GRADES + RNG.integers(-1, 2, 200), 0, 4)


def test_quadratic_kappa_is_that_of_scikit_learn():
    expected = cohen_kappa_score(GRADES, ANSWERS, weights="quadratic")
    assert quadratic_kappa(GRADES, ANSWERS) == pytest.approx(expected)
    assert quadratic_kappa(np.ones(3, int), np.ones(3, int)) == 0.0


def test_a_grade_report_extends_a_class_report():
    logs = np.log(np.eye(5)[ANSWERS] * 0.8 + 0.04)
    names = tuple("12345")
    plain = summarize("test", labels=GRADES, log_probabilities=logs, class_names=names)
    made = with_kappa(plain, GRADES, ANSWERS)
    assert (made.accuracy, made.confusion) == (plain.accuracy, plain.confusion)
    assert made.mean_grade_error == pytest.approx(np.abs(GRADES - ANSWERS).mean())
    assert made.quadratic_kappa > made.accuracy
