"""Curves of confidence agree with counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.calibration.curves import coverage_curve, reliability_curve


def test_reliability_bins_have_equal_size_and_means():
    confidence = np.linspace(0.5, 1, 60)
    is_right = np.arange(60) >= 20
    bins = reliability_curve(confidence, is_right)
    assert [point["examples"] for point in bins] == [20, 20, 20]
    assert [point["accuracy"] for point in bins] == [0, 1, 1]
    assert bins[1]["confidence"] == pytest.approx(confidence[20:40].mean())


@pytest.mark.parametrize(("examples", "bins"), [(5, 0), (20, 1), (10_000, 15)])
def test_reliability_has_bins_for_its_examples(examples, bins):
    curve = reliability_curve(np.linspace(0, 1, examples), np.ones(examples, bool))
    assert len(curve) == bins
    assert sum(point["examples"] for point in curve) == (examples if bins else 0)


def test_coverage_counts_the_most_confident_first():
    curve = coverage_curve(np.array([0.5, 0.9, 0.7]), np.array([False, True, True]))
    assert [point["coverage"] for point in curve] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [point["accuracy"] for point in curve] == pytest.approx([1, 1, 2 / 3])
    assert [point["threshold"] for point in curve] == [0.9, 0.7, 0.5]


def test_coverage_keeps_equal_confidences_together():
    curve = coverage_curve(np.full(50, 0.8), np.arange(50) < 40)
    assert curve == [{"threshold": 0.8, "coverage": 1.0, "accuracy": 0.8}]


def test_coverage_of_many_examples_has_100_points():
    curve = coverage_curve(np.linspace(0, 1, 10_000), np.ones(10_000, bool))
    assert len(curve) == 100
    assert curve[-1]["coverage"] == 1
