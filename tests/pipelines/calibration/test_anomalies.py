"""Promised false alarms are kept, and too few examples promise what they can."""

import numpy as np
import pytest

from pipelines.calibration.anomalies import calibrate_anomalies
from pipelines.config import AnomalyConfig


def calibrated(normal, alpha, strange=()):
    scores = np.concatenate([normal, strange]).astype(np.float32)
    labels = (np.arange(len(scores)) >= len(normal)).astype(np.int64)
    return calibrate_anomalies(
        scores[:, None], labels, anomaly=AnomalyConfig(alpha=alpha)
    )


@pytest.mark.parametrize(("alpha", "count"), [(0.05, 99), (0.1, 30), (0.02, 200)])
def test_promised_false_alarms_are_kept_on_average(alpha, count):
    rng, alarms, small = np.random.default_rng(0), [], []
    for _ in range(300):
        normal, new = rng.gamma(2, size=count), rng.gamma(2, size=(500, 1))
        answers = calibrated(normal, alpha).answer(new.astype(np.float32), new)
        alarms.append(answers.anomalous.mean())
        small.append((answers.p_value <= alpha).mean())
    error = np.std(alarms) / np.sqrt(300)
    assert alpha - 1 / (count + 1) - 3 * error < np.mean(alarms) < alpha + 3 * error
    assert np.mean(small) == pytest.approx(np.mean(alarms), abs=3 * error)


def test_too_few_examples_say_what_is_possible():
    calibration = calibrated(np.arange(1, 10), 0.05)
    assert calibration.promised == 0.1
    assert "9 normal examples" in calibration.reason
    assert "takes 19" in calibration.reason
    assert "config.anomaly.alpha" in calibration.reason
    outputs = np.float32([[9], [9.1]])
    answers = calibration.answer(outputs, outputs)
    assert answers.anomalous.tolist() == [False, True]
    assert answers.p_value.tolist() == [0.2, 0.1]


def test_known_anomalies_do_not_move_the_threshold():
    normal = np.arange(1, 41)
    alone, beside = calibrated(normal, 0.1), calibrated(normal, 0.1, strange=[500, 0])
    assert beside.largest == alone.largest
    assert beside.to_manifest() == alone.to_manifest()
    values = alone.to_manifest()["calibration"]
    assert (values["alpha"], values["promised"]) == (0.1, 0.1)
    assert values["held_out_examples"] == 40


def test_scores_of_zero_only_give_a_threshold():
    calibration = calibrated(np.zeros(5), 0.2)
    outputs = np.float32([[0], [2]])
    assert calibration.answer(outputs, outputs).anomalous.tolist() == [False, True]


def test_maps_exceed_one_where_normal_cells_never_do():
    rng = np.random.default_rng(0)
    cells = rng.uniform(1, 2, (60, 9)).astype(np.float32)
    outputs = np.concatenate([cells.max(axis=1, keepdims=True), cells], axis=1)
    calibration = calibrate_anomalies(
        outputs, np.zeros(60, np.int64), anomaly=AnomalyConfig(alpha=0.1)
    )
    strange = outputs[:1].copy()
    strange[0, 5] = 4.0
    (cells_of_it,) = calibration.by_place(strange)
    assert cells_of_it.shape == (3, 3)
    assert np.argwhere(cells_of_it > 1).tolist() == [[1, 1]]
    assert np.mean(calibration.by_place(outputs).max(axis=(1, 2)) > 1) <= 0.1
    assert calibrated(np.arange(1, 9), 0.2).by_place(outputs[:, :1]) is None
