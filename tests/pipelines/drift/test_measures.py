"""Measures of drift: rare without one, certain with one."""

import numpy as np
import pytest

from pipelines.drift.measures import Batch, compare, stability_index
from pipelines.serving.training_data.reference import DriftReference


def _drawn(count, *, seed, shift=0.0, classes=(0.5, 0.3, 0.2)):
    draw = np.random.default_rng(seed)
    return {
        "ood_scores": draw.gamma(2, 0.2, count) + shift,
        "confidences": draw.beta(8, 2, count),
        "features": draw.normal(size=(count, 12)) + shift,
        "predicted": draw.choice(3, count, p=classes),
    }


def _reference(seed=0):
    values = _drawn(600, seed=seed)
    return DriftReference.of(
        values.pop("features"),
        **values,
        labels=np.array([0, 1, 2]),
        class_names=["a", "b", "c"],
    )


def _compared(reference, values):
    projections = reference.projected(values.pop("features"))
    return compare(reference, Batch(projections=projections, **values))


def test_batches_without_drift_are_rarely_called_drifted():
    alarms = 0
    for seed in range(40):
        rows = _compared(_reference(seed), _drawn(200, seed=1000 + seed))
        assert len(rows) == 3 + 16
        alarms += any(row.drifted for row in rows)
    assert alarms <= 6


def test_drift_is_named_by_its_measure():
    shifted = {
        row.measure: row
        for row in _compared(_reference(), _drawn(200, seed=5, shift=0.5))
    }
    assert shifted["ood_score"].drifted
    assert shifted["ood_score"].index > 0.25
    assert any(shifted[f"features {i + 1}"].drifted for i in range(16))
    assert not shifted["confidence"].drifted
    rows = _compared(_reference(), _drawn(200, seed=5, classes=(0.2, 0.2, 0.6)))
    assert [row.measure for row in rows if row.drifted] == ["answers"]


def test_stability_index_is_zero_for_the_same_values():
    values = np.arange(1000.0)
    assert stability_index(values, values) == pytest.approx(0, abs=1e-9)
    assert stability_index(values, values + 500) > 1
    # One value alone has one bin.
    assert stability_index(np.ones(50), np.ones(9)) == pytest.approx(0, abs=0.2)
