"""Answers in the graph are those of the calibration in memory."""

import numpy as np

from pipelines.calibration.anomalies import calibrate_anomalies
from pipelines.config import AnomalyConfig
from pipelines.problems.anomalies import answers

NORMAL = np.arange(1, 41).astype(np.float32)
CALIBRATION = calibrate_anomalies(
    NORMAL[:, None], np.zeros(40, np.int64), anomaly=AnomalyConfig(alpha=0.1)
)
OUTPUTS = np.float32([[0.3], [20.5], [36.9], [99], [20]])


def test_graph_and_memory_give_the_same_answers():
    valid = np.array([True, True, True, True, False])
    graph = answers.graph_answers(CALIBRATION)
    given = graph.answer(OUTPUTS, OUTPUTS, valid)
    expected = answers.expected(CALIBRATION, OUTPUTS, OUTPUTS)
    assert sorted([*given, "valid"]) == sorted(expected)
    for name, values in given.items():
        np.testing.assert_allclose(
            values[:4], expected[name].values[:4], rtol=1e-6, err_msg=name
        )
        assert not np.asarray(values)[4]
    assert np.asarray(given["anomalous"]).tolist() == [False, False, False, True, False]
    scores = graph.of_examples(given)["outputs"]
    assert scores.shape == (5, 1)
    assert answers.of_examples(expected)["outputs"].values.shape == (5, 1)


def test_held_out_scores_are_decided_by_rounding():
    p_value = answers.expected(CALIBRATION, OUTPUTS, OUTPUTS)["p_value"]
    apart = p_value.margins["other"]
    assert apart[4] < 1e-6 < apart[1]
    (kind,) = answers.numbers(CALIBRATION, OUTPUTS, OUTPUTS)
    assert kind == "other"
