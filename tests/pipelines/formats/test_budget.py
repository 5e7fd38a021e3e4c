"""Formats are measured on validation, and the best one in time is chosen."""

import pytest

from pipelines.errors import ConfigError
from pipelines.formats.budget import FormatCost, budget, chosen


def _cost(name, quality, p95, metric="accuracy"):
    return FormatCost("runs/a", "tiny_image", name, 1000, metric, quality, p95 / 2, p95)


def test_formats_are_measured_one_by_one(finished_run):
    measured = budget([finished_run], latency_ms=1e6, formats="litert-float32")
    rows = {row.format: row for row in measured.rows}
    assert set(rows) == {"savedmodel", "litert-float32"}
    assert rows["savedmodel"].quality == rows["litert-float32"].quality
    assert rows["litert-float32"].backbone == "tiny_image, 32 px"
    for row in measured.rows:
        assert 0 < row.milliseconds <= row.p95_milliseconds
        assert row.bytes > 0
    assert measured.left_out == ()
    assert measured.best in measured.rows


def test_best_is_most_accurate_in_time():
    rows = [_cost("slow", 0.9, 30), _cost("quick", 0.7, 1), _cost("fit", 0.8, 19)]
    measured = chosen([*rows, _cost("worse", 0.75, 20)], latency_ms=20)
    assert [row.format for row in measured.rows] == ["quick", "fit", "worse", "slow"]
    assert [row.is_best_so_far for row in measured.rows] == [True, True, False, True]
    assert measured.best.format == "fit"
    assert chosen(rows, latency_ms=0.5).best is None


def test_runs_of_other_measures_are_refused():
    rows = [_cost("a", 0.9, 1), _cost("b", 0.9, 1, metric="r2")]
    with pytest.raises(ConfigError, match="accuracy and r2"):
        chosen(rows, latency_ms=20)


@pytest.mark.parametrize("latency_ms", [0, -1, float("nan")])
def test_budget_above_zero_is_needed(finished_run, latency_ms):
    with pytest.raises(ConfigError, match="it is above 0"):
        budget([finished_run], latency_ms=latency_ms)


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not the folder of a finished run"):
        budget([tmp_path], latency_ms=20)


def test_unknown_format_is_refused(finished_run):
    with pytest.raises(ConfigError, match="Unknown format"):
        budget([finished_run], latency_ms=20, formats="coreml")
