"""Reports on anomalies have the numbers that a split allows."""

import dataclasses

import numpy as np
import pytest

from pipelines.problems.anomalies.reports import report

SCORES = np.array([0.2, 0.5, 1.5, 0.9, 3.0])
ANSWERS = {"anomaly_score": SCORES, "anomalous": SCORES > 1}


def test_rates_and_order_of_both_kinds_are_reported():
    made = report("test", np.array([0, 0, 0, 1, 1]), ANSWERS)
    assert made.auroc == pytest.approx(5 / 6)
    assert made.false_alarm_rate == pytest.approx(1 / 3)
    assert made.hit_rate == 0.5
    assert made.headline == ("auroc", "false_alarm_rate", "hit_rate")
    assert made.per_kind["anomaly"]["median_score"] == pytest.approx(1.95)


@pytest.mark.parametrize(
    ("label", "headline"), [(0, "false_alarm_rate"), (1, "hit_rate")]
)
def test_one_kind_alone_has_no_order(label, headline):
    made = report("test", np.full(5, label), ANSWERS)
    assert (made.auroc, made.headline) == (None, (headline,))
    assert made.recorded == made.headline
    assert dataclasses.asdict(made)["examples"] == 5
