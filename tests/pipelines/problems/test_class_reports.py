"""A report on predictions: every example is counted once."""

import numpy as np
import pytest

from pipelines.problems.class_reports import summarize


def test_summaries_count_every_example_once():
    labels = np.array([0, 0, 1, 2])
    predicted = np.array([0, 1, 1, 1])
    log_probabilities = np.log(np.eye(3)[predicted] * 0.9 + 0.1 / 3)
    report = summarize(
        "test",
        labels=labels,
        log_probabilities=log_probabilities,
        class_names=("a", "b", "c"),
    )
    assert report.confusion == ((1, 1, 0), (0, 1, 0), (0, 1, 0))
    assert report.examples == sum(map(sum, report.confusion)) == 4
    assert report.accuracy == 0.5
    # Four of equal confidence, 0.9 + 0.1 / 3, of which half are right.
    assert report.calibration_error == pytest.approx(0.9 + 0.1 / 3 - 0.5)
    assert report.balanced_accuracy == 0.5  # (1/2 + 1 + 0) / 3
    assert report.per_class["b"] == {
        "precision": pytest.approx(1 / 3),
        "recall": 1.0,
        "f1": 0.5,
        "examples": 1,
    }
    assert report.per_class["c"]["precision"] == 0.0
