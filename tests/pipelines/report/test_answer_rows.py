"""Rows of several labels, and of numbers, as they are kept."""

import json

import numpy as np

from pipelines.report.answer_rows import rows_of_answers
from pipelines.report.predictions import lines

COMMON = {"accepted": np.array([True, False]), "ood_score": np.array([0.5, 1.5])}


def test_rows_of_labels_name_right_and_predicted():
    answers = {
        **COMMON,
        "probabilities": np.array([[0.9, 0.2], [0.1, 0.3]]),
        "predicted": np.array([[True, False], [False, False]]),
        "confidence": np.array([0.8, 0.7]),
    }
    labels = np.float32([[1, 1], [0, 0]])
    rows = list(rows_of_answers("test", ["a", "b"], labels, answers, ("cat", "dog")))
    assert (rows[0].labels, rows[0].predicted) == (("cat", "dog"), ("cat",))
    assert (rows[1].labels, rows[1].predicted, rows[1].accepted) == ((), (), False)
    assert list(rows[1].probabilities) == ["dog", "cat"]
    first, _ = map(json.loads, lines(rows))
    assert first["probabilities"] == {"cat": 0.9, "dog": 0.2}
    assert first["labels"] == ["cat", "dog"]


def test_rows_keep_likeliest_and_right_labels():
    names = [f"label {i}" for i in range(30)]
    answers = {
        "accepted": np.array([True]),
        "ood_score": np.zeros(1),
        "probabilities": np.linspace(1, 0, 30)[None],
        "predicted": np.zeros((1, 30), bool),
        "confidence": np.zeros(1),
    }
    labels = np.float32(np.arange(30) == 29)[None]
    (row,) = rows_of_answers("test", ["a"], labels, answers, names)
    assert list(row.probabilities) == [*names[:10], "label 29"]


def test_rows_of_numbers_have_their_intervals():
    answers = {
        **COMMON,
        "values": np.float32([[1.5], [2.5]]),
        "lower": np.float32([[1], [2]]),
        "upper": np.float32([[2], [3]]),
    }
    labels = np.float32([[1.4], [9]])
    row, _ = rows_of_answers("test", ["a", "b"], labels, answers, ("age",))
    assert row.values == {"age": 1.4}
    assert row.predicted == {"age": 1.5}
    assert row.intervals == {"age": (1.0, 2.0)}
    assert json.loads(next(lines([row])))["intervals"] == {"age": [1.0, 2.0]}
