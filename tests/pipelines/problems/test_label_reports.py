"""Measures of several labels."""

import numpy as np
import pytest

from pipelines.problems.label_reports import (
    average_precisions,
    mean_average_precision,
    report,
)

LABELS = np.float32([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]])
PROBABILITIES = np.array([[0.9, 0.2, 0.1], [0.8, 0.9, 0.1], [0.1, 0.6, 0.1]] * 2)[:4]


def test_a_report_counts_every_decision():
    made = report("test", LABELS, PROBABILITIES, PROBABILITIES > 0.5, ("a", "b", "c"))
    # Right: a twice, b once. Wrong: a of the last, b of the third, b of the last.
    assert made.f1_micro == pytest.approx(2 * 3 / (4 + 5))
    assert made.exact_match == 0.5
    assert made.f1_macro == pytest.approx((0.8 + 0.5 + 0.0) / 3)
    assert made.per_label["c"]["average_precision"] is None
    assert made.per_label["a"]["examples"] == 2
    wanted = np.mean([made.per_label[name]["average_precision"] for name in "ab"])
    assert made.mean_average_precision == pytest.approx(wanted)


def test_average_precision_is_one_for_the_right_order():
    assert average_precisions(LABELS, LABELS)[:2].tolist() == [1.0, 1.0]
    assert np.isnan(average_precisions(LABELS, LABELS)[2])
    broken = LABELS.copy()
    broken[0, 0] = np.nan
    assert average_precisions(broken, LABELS)[0] < 1


def test_the_standard_error_shrinks_with_the_examples():
    rng = np.random.default_rng(0)
    errors = []
    for count in (100, 1600):
        labels = (rng.random((count, 4)) < 0.3).astype(np.float32)
        scores = labels + rng.normal(size=labels.shape)
        errors.append(mean_average_precision(scores, labels)[1])
    assert errors[1] == pytest.approx(errors[0] / 4, rel=0.3)
