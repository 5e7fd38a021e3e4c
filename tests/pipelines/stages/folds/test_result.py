"""Scores of folds count each example once."""

import numpy as np
import pytest

from pipelines.problems.registry import make
from pipelines.stages.folds.result import fold_scores


def test_fold_scores_are_of_each_fold_and_all():
    labels = np.array([0, 0, 1, 1, 1])
    answers = np.array([0, 1, 1, 1, 0])
    folds = np.array([0, 0, 1, 1, 1])
    problem = make("single_label", ("a", "b"), labels)
    scores = fold_scores(
        problem, np.eye(2, dtype=np.float32)[answers], labels, folds, None, count=2
    )
    assert scores.per_fold == pytest.approx((1 / 2, 2 / 3))
    assert scores.examples == (2, 3)
    assert scores.out_of_fold == pytest.approx(3 / 5)
    assert scores.standard_deviation == pytest.approx(np.std([1 / 2, 2 / 3], ddof=1))


def test_fold_scores_follow_weights():
    labels, folds = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    answers = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    problem = make("single_label", ("a", "b"), labels)
    weights = np.array([3.0, 1.0, 1.0, 1.0])
    scores = fold_scores(problem, answers, labels, folds, weights, count=2)
    assert scores.per_fold == pytest.approx((3 / 4, 1.0))
