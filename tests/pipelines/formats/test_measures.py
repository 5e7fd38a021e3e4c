"""Files are compared by what an artifact answers with."""

import types

import numpy as np
import pytest

from pipelines.formats.measures import OfClasses, OfLabels, OfNumbers, measure_of


def test_measure_follows_the_problem():
    thresholds = {"label_thresholds": [0.5, 0.5]}
    kinds = {
        "single_label": OfClasses,
        "ordinal": OfClasses,
        "multi_label": OfLabels,
        "regression": OfNumbers,
    }
    for problem, kind in kinds.items():
        manifest = types.SimpleNamespace(problem=problem, calibration=thresholds)
        assert isinstance(measure_of(manifest, np.eye(2, dtype=np.float32)), kind)


def test_labels_agree_by_their_thresholds():
    measure = OfLabels((0.5, 0.1))
    expected = np.float32([[0.6, 0.2], [0.4, 0.0]])
    outputs = np.float32([[0.7, 0.05], [0.3, 0.0]])
    assert measure.agree(outputs, expected).tolist() == [False, True]
    assert measure.difference(outputs, expected) == pytest.approx(0.15)
    assert measure.quality(expected, np.float32([[1, 1], [0, 0]])) == 1


def test_numbers_differ_in_units_of_their_spread():
    truth = np.float32([[0, 1], [200, 3]])
    measure = OfNumbers(truth.std(axis=0))
    moved = truth + np.float32([[0.5, 0.005], [0, 0.5]])
    assert measure.quality(truth, truth) == 1
    assert measure.agree(moved, truth).tolist() == [True, False]
    assert measure.difference(moved, truth) == pytest.approx(0.5)
