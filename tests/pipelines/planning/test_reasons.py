"""The reason of a plan has the numbers it rests on, and warnings."""

import dataclasses

from pipelines.config import RunConfig
from pipelines.planning.policy import decide
from tests.support.training_facts import FACTS, measured_facts


def test_the_reasons_are_short_lines():
    lines = decide(measured_facts(), RunConfig()).reason.splitlines()
    assert len(lines) == 3
    assert [line.split()[0] for line in lines] == ["Effort", "A", "The"]


def test_the_reason_names_the_numbers_it_rests_on():
    reason = decide(FACTS, RunConfig(strategy="auto")).reason
    assert "100 training examples per class" in reason
    assert "then all 5 blocks" in reason


def test_the_reason_tells_similar_from_different():
    similar = decide(measured_facts(), RunConfig()).reason
    different = decide(
        measured_facts(depths=(0.5, 0.8, 0.7, 0.7, 0.7)), RunConfig()
    ).reason
    random = decide(measured_facts(pretrained=False), RunConfig()).reason
    assert "data and source are similar" in similar
    assert "The best single block is 'block1' (80.0%)" in different
    assert "different from the source" in different
    assert "source" not in random


def test_backbone_worse_than_thumbnails_gets_warning():
    assert "Warning" not in decide(measured_facts(pixels=0.85), RunConfig()).reason
    for strategy in ("auto", "full", "head_only"):
        reason = decide(
            measured_facts(pixels=0.95), RunConfig(strategy=strategy)
        ).reason
        assert "thumbnails alone give 95.0%, and the best head 90.0%" in reason
    pooled = RunConfig()
    pooled.head.pooling, pooled.head.init = "max", "zeros"
    assert "thumbnails alone" in decide(measured_facts(pixels=0.95), pooled).reason


def test_features_that_tell_nothing_are_warned_of():
    """The most frequent class is right on half; a standard error is 2 %."""
    above = decide(measured_facts(heads=(0.4, 0.5, 0.53)), RunConfig()).reason
    within = decide(measured_facts(heads=(0.4, 0.5, 0.51)), RunConfig()).reason
    assert "Warning" not in above
    assert "Warning: always saying the most frequent class is right on 50.0%" in within


def test_too_few_examples_do_not_read_as_enough():
    reason = decide(measured_facts(examples=217, classes=11), RunConfig()).reason
    assert "with 19.7 training examples per class" in reason
    few = decide(measured_facts(examples=9, classes=2), RunConfig()).reason
    assert "only: 4.5 training examples per class are too few" in few


def test_single_examples_per_class_report_no_accuracy():
    reason = decide(measured_facts(examples=5, classes=4), RunConfig()).reason
    assert "was not measured: with 1.2 training examples per class" in reason
    assert "is right on" not in reason
    assert (
        "is right on"
        in decide(measured_facts(examples=6, classes=4), RunConfig()).reason
    )


def test_reason_counts_fitted_and_left_out():
    facts = measured_facts(examples=9000, classes=1000)
    evidence = dataclasses.replace(facts.evidence, examples=700, fitted_examples=8000)
    reason = decide(dataclasses.replace(facts, evidence=evidence), RunConfig()).reason
    assert "fitted to 8000 training examples, 700 of them left out in turn" in reason
