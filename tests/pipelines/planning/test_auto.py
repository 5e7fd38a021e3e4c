"""What `auto` trains: as much as the data allow, where a gain can show."""

import dataclasses

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.policy import decide
from tests.support.training_facts import BLOCKS, facts_to_cut, measured_facts


@pytest.mark.parametrize(
    ("per_class", "count"), [(4, 0), (5, 0), (6, 1), (20, 3), (50, 4), (100, 5)]
)
def test_blocks_that_train_follow_examples_per_class(per_class, count):
    plan = decide(measured_facts(examples=2 * per_class), RunConfig())
    trained = [phase.trainable_blocks for phase in plan.phases[1:]]
    assert trained == ([BLOCKS[len(BLOCKS) - count :]] if count else [])
    assert ("too few to train blocks" in plan.reason) is (count == 0)


def test_hours_try_all_blocks_too():
    plan = decide(measured_facts(examples=40), RunConfig(effort="hours"))
    assert [phase.trainable_blocks for phase in plan.phases[1:]] == [BLOCKS[2:], BLOCKS]
    assert "then the last 3 of 5 blocks (from 'block2' on), then all 5" in plan.reason
    assert len(decide(measured_facts(), RunConfig(effort="hours")).phases) == 2


def test_different_data_train_from_best_depth_on():
    facts = facts_to_cut(gain=-0.1, examples=12)
    plan = decide(facts, RunConfig())
    assert plan.phases[-1].trainable_blocks == BLOCKS[2:]
    assert plan.rule == "small_different"
    assert "keeps all blocks, because the best head on the network cut" in plan.reason
    similar = decide(facts_to_cut(clear=False, examples=12), RunConfig())
    assert similar.phases[-1].trainable_blocks == BLOCKS[4:]
    assert similar.rule == "small_similar"


def test_cut_of_auto_trains_below_the_cut():
    plan = decide(facts_to_cut(examples=40), RunConfig())
    assert plan.head.reads == BLOCKS[:3]
    assert [phase.trainable_blocks for phase in plan.phases] == [(), BLOCKS[1:3]]
    assert all(phase.only_if_better for phase in plan.phases)
    assert "Cuts the network after 'block2', its best single block" in plan.reason
    assert "The plan follows it." in plan.reason


def test_named_block_is_where_training_starts():
    config = RunConfig()
    config.finetune.from_block = "block3"
    for examples in (8, 400):
        plan = decide(measured_facts(examples=examples), config)
        assert plan.phases[-1].trainable_blocks == BLOCKS[3:]
    config.finetune.from_block = "auto"
    plan = decide(measured_facts(examples=40), config)
    assert plan.phases[-1].trainable_blocks == BLOCKS[2:]
    config.finetune.from_block = "block9"
    with pytest.raises(ConfigError, match="no such block.*block0, block1"):
        decide(measured_facts(), config)
    frozen = dataclasses.replace(measured_facts(), trainable=False)
    with pytest.raises(ConfigError, match="from_block is 'block9', but nothing in the"):
        decide(frozen, config)
