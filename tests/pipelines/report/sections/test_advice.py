"""Next steps come from numbers, and none is invented."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from pipelines.report.sections.advice import advice
from tests.support.evidence import evidence
from tests.support.run_pages import run_of

NAMES = ["one", "two", "three", "four"]


@pytest.fixture
def good(files):
    """A run with nothing to say about: all of 400 examples are right."""
    run = run_of(files, NAMES, examples=400, accuracy=1.0)
    return dataclasses.replace(run, plan={**files.plan, "evidence": None})


def titles(run) -> list[str]:
    return [step["title"] for step in advice(run)]


def changed(run, **values):
    return dataclasses.replace(run, report={**copy.deepcopy(run.report), **values})


def test_nothing_is_said_of_a_good_run(good):
    assert titles(good) == []


def test_weak_class_with_few_examples_needs_more(good):
    run = changed(good)
    run.report["test"]["per_class"]["two"]["recall"] = 0.5
    run.report["data"]["counts"]["train"]["two"] = 3
    (step,) = advice(run)
    assert step["title"] == "More training examples of two"
    assert "recall is 50.0% on 100 test examples" in step["text"]
    assert "3 training examples, the median class 11" in step["text"]


def test_weak_class_with_many_examples_needs_a_look(good):
    run = changed(good)
    run.report["test"]["per_class"]["two"]["recall"] = 0.5
    run.report["data"]["counts"]["train"]["two"] = 300
    assert titles(run) == ["A closer look at two"]


def test_weak_class_by_chance_is_not_named(good):
    run = changed(good)
    run.report["test"] |= {"accuracy": 0.9}
    run.report["test"]["per_class"]["two"] |= {"recall": 0.75, "examples": 4}
    assert titles(run) == []


def test_confident_mistakes_are_named(files):
    run = run_of(files, NAMES, examples=400, accuracy=0.9)
    sure = [x for x in run.predictions if not x.is_right and x.confidence >= 0.95]
    (step,) = [x for x in advice(run) if x["title"].startswith("A look at the labels")]
    assert f"labels of {len(sure)} mistakes" in step["title"]
    assert max(sure, key=lambda row: row.confidence).example in step["text"]


def test_larger_backbone_where_accuracy_still_rises(good):
    rising = dataclasses.replace(good, plan={"evidence": evidence(far=False)})
    assert titles(rising) == ["A larger backbone"]
    flat = evidence(far=False)
    flat["depths"][1]["accuracy"] = 0.69
    assert titles(dataclasses.replace(good, plan={"evidence": flat})) == []


def test_few_test_examples_are_named(good):
    small = run_of(good, ["one", "two"], examples=5, accuracy=1.0)
    assert titles(small) == ["More test examples"]


def test_simple_guess_that_is_as_good_is_named(good):
    run = changed(good, baselines={"commonest_class": 0.999})
    (step,) = advice(run)
    assert "commonest class alone has an accuracy of 99.9%" in step["text"]


def test_skipped_phases_and_missing_calibration_are_named(good):
    run = changed(good, phases_skipped=["blocks"])
    run.report["calibration"]["held_out_examples"] = 7
    assert titles(run) == ["More validation examples", "More time"]
