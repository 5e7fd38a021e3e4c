"""Grades behind the protocol."""

import keras
import numpy as np
import pytest

from pipelines.problems.ordinal import Ordinal

GRADES = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
PROBLEM = Ordinal("1234", GRADES)


def test_a_head_of_zeros_gives_the_shares():
    (layer,) = PROBLEM.output_layers(None)
    logs = keras.ops.convert_to_numpy(layer(np.zeros((1, 3), np.float32)))
    np.testing.assert_allclose(np.exp(logs[0]), [0.4, 0.3, 0.2, 0.1], atol=0.01)


def test_a_mistake_counts_by_its_squared_distance():
    logs = np.log(np.full((4, 4), 0.01) + np.eye(4)[[0, 1, 2, 3]] * 0.96)
    quality = PROBLEM.judge(logs, np.array([0, 0, 0, 0])).quality
    lost = 1 - quality
    np.testing.assert_allclose(lost, lost[1] * np.array([0, 1, 4, 9]))
    (metric,) = PROBLEM.epoch_metrics()
    metric.update_state(np.array([0, 0, 0, 0]), logs)
    assert float(metric.result()) == pytest.approx(quality.mean(), rel=1e-5)
    (soft,) = PROBLEM.epoch_metrics()
    soft.update_state(np.eye(4)[[0, 0, 0, 0]], logs)
    assert float(soft.result()) == pytest.approx(quality.mean(), rel=1e-5)


def test_a_tally_has_the_kappa_of_grades():
    tally = PROBLEM.tally()
    probabilities = np.eye(4, dtype=np.float32)[[0, 1, 2, 3]]
    tally.add(np.array([0, 1, 2, 3]), {"probabilities": probabilities})
    assert tally.report("all").quadratic_kappa == 1.0
