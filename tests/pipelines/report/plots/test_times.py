"""The bar of seconds has every stage, and the total in words."""

from pipelines.report.plots.times import time_by_stage


def test_bars_name_every_stage():
    plot = time_by_stage({"data": 1.25, "export": 40.0, "total": 50.0})
    assert "50.0 seconds in 2 stages; the longest is export with 40.0." in plot
    assert ">data</text>" in plot
    assert ">1.2</text>" in plot


def test_no_stages_have_no_plot():
    assert time_by_stage({"total": 3.0}) is None
