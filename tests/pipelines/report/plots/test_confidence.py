"""Plots of confidence say their numbers in words."""

from pipelines.report.plots.confidence import (
    at_threshold,
    coverage_plot,
    reliability_diagram,
)

POINTS = [
    {"threshold": 0.9, "coverage": 0.25, "accuracy": 1.0},
    {"threshold": 0.6, "coverage": 0.75, "accuracy": 0.9},
    {"threshold": 0.3, "coverage": 1.0, "accuracy": 0.8},
]


def test_reliability_names_error_and_largest_distance():
    bins = [
        {"confidence": 0.6, "accuracy": 0.5, "examples": 20},
        {"confidence": 0.9, "accuracy": 0.95, "examples": 20},
    ]
    plot = reliability_diagram(bins, when="before it", error=0.07, colour="orange")
    assert "before it: calibration error 0.0700" in plot
    assert "2 bins" in plot
    assert "differ by 0.100 at most" in plot


def test_coverage_marks_the_threshold():
    plot = coverage_plot(POINTS, 0.5)
    assert "0.9000 of the 75.0% with a confidence of 0.5000" in plot
    assert "confidence \u2265 0.500" in plot


def test_coverage_without_kept_examples_says_so():
    plot = coverage_plot(POINTS, 0.95)
    assert "none reaches" in plot
    assert "\u2265" not in plot


def test_at_threshold_takes_the_last_kept():
    assert at_threshold(POINTS, 0.6) == POINTS[1]
    assert at_threshold(POINTS, 0.0) == POINTS[2]
    assert at_threshold(POINTS, 0.91) is None
