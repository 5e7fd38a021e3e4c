"""The four classic rules by name."""

import pytest

from pipelines.config import CHOICES
from pipelines.planning.classic_rules import RULES, classic_rule

CASES = [
    (400, 40, True, "small_similar", "head_only"),
    (400, 40, False, "small_different", "cut"),
    (200, 100, True, "large_similar", "full"),
    (200, 100, False, "large_different", "full"),
    (5000, 5, True, "large_similar", "full"),
    (4999, 99, True, "small_similar", "head_only"),
]


@pytest.mark.parametrize(
    ("examples", "per_class", "similar", "name", "strategy"), CASES
)
def test_which_rule_is_for_which_data(examples, per_class, similar, name, strategy):
    rule = classic_rule(examples=examples, per_class=per_class, similar=similar)
    assert (rule.name, rule.strategy) == (name, strategy)


def test_each_rule_has_a_strategy():
    assert {rule.name for rule in RULES.values()} == {case[3] for case in CASES}
    assert len(RULES) == 4
    for (large, similar), rule in RULES.items():
        assert rule.strategy in CHOICES["strategy"]
        assert ("many" in rule.data) == large
        assert ("similar" in rule.data) == similar
