"""Bounds on the measures of a report: which exist, and by how much they are missed."""

import pytest

from pipelines.config.conditions import parse
from pipelines.errors import ConfigError
from pipelines.gate.minimum import checked, measures_of, require_known
from pipelines.problems.class_reports import EvalReport
from pipelines.problems.number_reports import NumberReport

REPORT = {
    "test": {
        "split": "test",
        "examples": 60,
        "accuracy": 0.85,
        "confusion": [[1, 2]],
        "per_class": {"a": {"recall": 0.5}},
        "auroc": None,
    },
    "validation": {"accuracy": 0.9},
    "seconds": {"total": 3.0},
}


def test_measures_are_all_numbers_of_both_splits():
    assert measures_of(REPORT) == {
        "validation.accuracy": 0.9,
        "test.examples": 60.0,
        "test.accuracy": 0.85,
        "test.per_class.a.recall": 0.5,
        "test.auroc": None,
    }


def test_checked_says_by_how_much_is_missed():
    text = "test.accuracy>=0.9,validation.accuracy>0.8,test.per_class.a.recall>=0.5"
    missed, above, of_class = checked(parse(text), REPORT)
    assert (missed.passed, missed.value) == (False, 0.85)
    assert missed.missed_by == pytest.approx(0.05)
    assert above.passed
    assert of_class.passed
    assert above.missed_by is None


def test_measure_without_a_value_does_not_pass():
    (row,) = checked(parse("test.auroc>=0.5"), REPORT)
    assert (row.passed, row.value, row.missed_by) == (False, None, None)


def test_unknown_measure_is_refused_with_the_known():
    with pytest.raises(ConfigError, match=r"examples.*Did you mean test\.accuracy\?"):
        checked(parse("test.acuracy>=0.9"), REPORT)


def test_unknown_measure_is_refused_before_training():
    require_known(parse("test.loss<1,validation.per_class.a.f1>0"), EvalReport)
    with pytest.raises(ConfigError, match=r"test\.balanced_accuracy.*per_class\.NAME"):
        require_known(parse("test.f1>0.5"), EvalReport)
    with pytest.raises(ConfigError, match=r"test\.mean_absolute_error, .*r2"):
        require_known(parse("test.accuracy>0.5"), NumberReport)
