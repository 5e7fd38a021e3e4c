"""The table of cases of the policy: strategy and effort to phases."""

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.policy import TrainingFacts, decide

BLOCKS = tuple(f"block{i}" for i in range(5))
FACTS = TrainingFacts(examples=200, classes=2, block_names=BLOCKS)
LAST_HALF = BLOCKS[2:]

CASES = [
    ("head_only", "minutes", [()]),
    ("partial", "minutes", [(), LAST_HALF]),
    ("full", "minutes", [(), BLOCKS]),
    ("scratch", "minutes", [BLOCKS]),
    ("auto", "seconds", [()]),
    ("auto", "minutes", [(), LAST_HALF]),
    ("auto", "hours", [(), LAST_HALF, BLOCKS]),
]


@pytest.mark.parametrize(("strategy", "effort", "trainable"), CASES)
def test_what_each_strategy_trains(strategy, effort, trainable):
    plan = decide(FACTS, RunConfig(strategy=strategy, effort=effort))
    assert [phase.trainable_blocks for phase in plan.phases] == trainable
    assert plan.action == strategy


def test_every_strategy_of_the_config_is_a_case():
    from pipelines.config import CHOICES

    assert {case[0] for case in CASES} == set(CHOICES["strategy"])
    assert {case[1] for case in CASES} == set(CHOICES["effort"])


def test_rates_fall_by_the_decay_from_the_head_down():
    config = RunConfig(strategy="full")
    config.finetune.block_decay = 0.5
    config.finetune.backbone_multiplier = 0.1
    phase = decide(FACTS, config).phases[-1]
    factors = [factor for _, factor in phase.block_multipliers]
    assert factors == pytest.approx([0.1 * 0.5**d for d in (4, 3, 2, 1, 0)])


def test_one_block_that_is_a_whole_network_trains_at_the_rate_of_its_middle():
    facts = TrainingFacts(examples=200, classes=2, block_names=("module",))
    config = RunConfig(strategy="full")
    plan = decide(facts, config)
    assert plan.phases[-1].block_multipliers == (("module", pytest.approx(0.85**8)),)
    assert "at 0.000272 for that block, which is a whole network" in plan.reason
    config.finetune.block_decay = 1.0
    assert decide(facts, config).phases[-1].block_multipliers == (("module", 1.0),)


@pytest.mark.parametrize(("strategy", "effort", "trainable"), CASES)
def test_where_nothing_can_train_only_the_head_does(strategy, effort, trainable):
    facts = TrainingFacts(200, 2, BLOCKS, trainable=False)
    config = RunConfig(strategy=strategy, effort=effort)
    if strategy in ("auto", "head_only"):
        plan = decide(facts, config)
        assert [phase.trainable_blocks for phase in plan.phases] == [()]
    else:
        with pytest.raises(ConfigError, match=f"'{strategy}', but nothing in the back"):
            decide(facts, config)


def test_later_phases_of_auto_are_guarded_and_chosen_ones_are_not():
    guarded = decide(FACTS, RunConfig(strategy="auto", effort="hours")).phases
    chosen = decide(FACTS, RunConfig(strategy="full")).phases
    assert [phase.only_if_better for phase in guarded] == [True, True, True]
    assert [phase.only_if_better for phase in chosen] == [True, False]


def test_batchnorm_statistics_are_frozen_but_from_scratch():
    for strategy in ("head_only", "partial", "full", "auto"):
        plan = decide(FACTS, RunConfig(strategy=strategy))
        assert {phase.batchnorm for phase in plan.phases} == {"frozen"}
    scratch = decide(FACTS, RunConfig(strategy="scratch"))
    assert {phase.batchnorm for phase in scratch.phases} == {"trained"}


def test_the_reason_names_the_numbers_it_rests_on():
    reason = decide(FACTS, RunConfig(strategy="auto")).reason
    assert "100 training examples per class" in reason
    assert "last 3 of 5 blocks" in reason
