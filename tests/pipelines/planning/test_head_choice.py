"""The head reads what was measured best, and the network is cut where that is asked."""

import dataclasses

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.head_choice import choose_head, cut_loses_nothing
from tests.support.training_facts import BLOCKS, FACTS, facts_to_cut, measured_facts


def test_cut_keeps_blocks_up_to_best_depth():
    choice = choose_head(facts_to_cut(gain=-0.1), RunConfig(strategy="cut"))
    assert (choice.kept, choice.is_cut, choice.conv_blocks) == (BLOCKS[:3], True, 1)
    head = choice.plan(RunConfig(strategy="cut"))
    assert (head.reads, head.grid) == (BLOCKS[:3], 2)
    assert not head.is_linear
    assert not head.reads_averages


@pytest.mark.parametrize(
    ("gain", "clear", "is_cut"),
    [(0.0, True, True), (0.02, True, True), (-0.01, True, False), (0.0, False, False)],
)
def test_auto_cuts_where_nothing_is_lost(gain, clear, is_cut):
    facts = facts_to_cut(gain=gain, clear=clear)
    assert cut_loses_nothing(facts.evidence.depth) is is_cut
    assert choose_head(facts, RunConfig()).is_cut is is_cut
    assert not choose_head(facts, RunConfig(strategy="partial")).is_cut


def test_number_of_new_blocks_is_as_asked():
    config = RunConfig(strategy="cut")
    config.head.conv_blocks = 0
    assert choose_head(facts_to_cut(), config).conv_blocks == 0
    config.head.conv_blocks = 2
    assert choose_head(facts_to_cut(), config).conv_blocks == 2
    config.strategy = "head_only"
    assert choose_head(measured_facts(), config).conv_blocks == 2
    assert choose_head(measured_facts(), RunConfig()).conv_blocks == 0


def test_unmeasured_depths_cannot_be_cut():
    config = RunConfig(strategy="cut")
    with pytest.raises(ConfigError, match="blocks of tokens have no averages.*head_on"):
        choose_head(FACTS, config)
    single = dataclasses.replace(FACTS, block_names=("module",))
    with pytest.raises(ConfigError, match="is a single block, so there is no depth"):
        choose_head(single, config)


def test_cut_reads_only_what_it_has():
    config = RunConfig(strategy="cut")
    config.head.reads = "last"
    head = choose_head(facts_to_cut(), config).plan(config)
    assert (head.reads, head.grid) == (("block2",), 1)
    config.head.grid = 2
    with pytest.raises(ConfigError, match=r"is not available.*\(3, 2\)"):
        choose_head(facts_to_cut(), config)
