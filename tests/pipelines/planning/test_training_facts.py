"""The facts name the classic rule, unless similarity is not known."""

import dataclasses

import pytest

from pipelines.config import RunConfig
from pipelines.planning.policy import decide
from tests.support.training_facts import BLOCKS, FACTS, measured_facts, score

RULES = [
    ({"examples": 100}, "small_similar", "'head_only'"),
    ({"examples": 200}, "large_similar", "'full'"),
    ({"examples": 100, "depths": (0.5, 0.8, 0.7, 0.7, 0.7)}, "small_different", "cut"),
    (
        {"examples": 200, "depths": (0.5, 0.8, 0.7, 0.7, 0.7)},
        "large_different",
        "'full",
    ),
]


@pytest.mark.parametrize(("given", "name", "strategy"), RULES)
def test_plan_names_rule_and_follows_strategy(given, name, strategy):
    plan = decide(measured_facts(**given), RunConfig())
    assert plan.rule == name
    assert f"('{name}') is: " in plan.reason
    assert strategy in plan.reason
    assert plan.action == "auto"
    chosen = decide(measured_facts(**given), RunConfig(strategy="full"))
    assert (chosen.rule, chosen.action) == (name, "full")
    assert chosen.phases[-1].trainable_blocks == BLOCKS


def test_unknown_similarity_names_no_rule():
    one_block = dataclasses.replace(
        measured_facts().evidence, depths=(score(0.7, "module"),)
    )
    for facts in (
        FACTS,
        measured_facts(pretrained=False),
        measured_facts(evidence=one_block),
    ):
        plan = decide(facts, RunConfig())
        assert plan.rule == ""
        assert "classic rule" not in plan.reason
