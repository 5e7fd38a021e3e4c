"""Conflicts of options, in the order of their checks; `test_validate` has words."""

import pytest

from pipelines.config import FinetuneConfig, RunConfig
from pipelines.config.conflicts import conflicts


def test_conflicts_of_defaults_are_none():
    assert list(conflicts(RunConfig())) == []


def test_conflicts_are_all_in_order():
    config = RunConfig(strategy="head_only")
    config.finetune = FinetuneConfig(soup=3, lora_rank=2, from_block="block5")
    messages = list(conflicts(config))
    assert len(messages) == 3
    for message, words in zip(
        messages, ("soup and lora_rank set", "neither soup nor", "trains no block.")
    ):
        assert words in message


@pytest.mark.parametrize("strategy", ["partial", "full", "auto"])
def test_conflicts_end_where_blocks_train(strategy):
    config = RunConfig(strategy=strategy, finetune=FinetuneConfig(soup=3))
    assert list(conflicts(config)) == []
