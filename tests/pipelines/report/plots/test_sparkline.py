"""A series is a small line."""

from pipelines.report.plots.sparkline import sparkline


def test_sparkline_has_a_line_for_each_channel():
    plot = sparkline("test-1", [[0.0, 1.0, 0.5], [2.0, -1.5, 0.0]])
    assert "series of 2 channels, from -1.5 to 2" in plot
    assert "var(--blue)" in plot
    assert "var(--orange)" in plot


def test_empty_series_is_named():
    assert "empty series" in sparkline("test-2", [])
