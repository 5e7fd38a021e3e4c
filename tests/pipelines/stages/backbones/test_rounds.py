"""All are measured small, the finalists larger, within what a run allows."""

import dataclasses

import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.rounds import Limits, Rounds

SIZES = {"auto_a": (16, 32), "auto_b": (16, 32)}


@pytest.fixture
def two(registered):
    takes = dataclasses.replace(zoo.get_spec("tiny_image").input, default_size_px=32)
    for name in SIZES:
        registered(name, input=takes)


def _rounds(splits, *, work=1e12, **fields):
    config = RunConfig(backbone="auto", **fields)
    limits = Limits(config, work=work)
    problem = problem_of(splits)
    rounds = Rounds(splits.train, problem, config, Clock(), limits, examples=60)
    return rounds, limits


def _sizes(rounds):
    return [(row.score.backbone, row.score.input_size_px) for row in rounds.measured]


def test_finalists_are_measured_at_larger_sizes(two, splits):
    rounds, limits = _rounds(splits)
    rounds.smallest(SIZES)
    assert _sizes(rounds) == [("auto_a", 16), ("auto_b", 16)]
    rounds.larger(SIZES)
    assert sorted(_sizes(rounds)[2:]) == [("auto_a", 32), ("auto_b", 32)]
    assert limits.in_words == ""


def test_counted_work_ends_a_comparison(two, splits):
    rounds, limits = _rounds(splits, work=1.0)
    rounds.smallest(SIZES)
    rounds.larger(SIZES)
    assert _sizes(rounds) == [("auto_a", 16)]  # one in any case
    assert [row.backbone for row in rounds.left_out] == ["auto_b"]
    assert "reached its limit" in rounds.left_out[0].reason
    assert "the multiply-adds that its effort allows" in limits.in_words


def test_a_share_of_the_budget_ends_a_comparison(two, splits):
    rounds, limits = _rounds(splits, time_budget_seconds=1e-6)
    rounds.smallest(SIZES)
    assert _sizes(rounds) == [("auto_a", 16)]
    assert "its share of the time budget" in limits.in_words
