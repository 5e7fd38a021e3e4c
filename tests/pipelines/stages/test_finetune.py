"""The phases of a plan on the tiny backbone: what they move, and when they end."""

import dataclasses
import time
import types

import numpy as np
import pytest

from pipelines.calibration.calibration import uncalibrated
from pipelines.config import RunConfig
from pipelines.errors import ConfigError, TrainingError
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.problems.class_reports import evaluate
from pipelines.stages import finetune
from pipelines.stages.outputs import outputs
from tests.support.tiny_stages import tiny_config, train_stages


def _report(model, split, splits):
    (found,) = outputs(model, [split], batch_size=32)
    return evaluate(
        found,
        uncalibrated(10, reason="as it is"),
        class_names=splits.info.class_names,
    )


def test_head_only_moves_the_head_and_nothing_else(tmp_path, splits):
    _, history = train_stages(tmp_path, splits, tiny_config(strategy="head_only"))
    (phase,) = history.phases
    moved = {one.block: one.largest_change for one in phase.receipt}
    assert moved.pop("head") > 0
    assert set(moved.values()) == {0.0}
    assert len(moved) == 4


def test_partial_moves_the_last_half_and_the_head(tmp_path, splits):
    _, history = train_stages(tmp_path, splits, tiny_config(strategy="partial"))
    phase = history.phases[-1]
    assert [one.block for one in phase.receipt if one.largest_change > 0] == [
        "block2",
        "block3",
        "head",
    ]
    assert all(one.statistics_change == 0.0 for one in phase.receipt)
    assert [one.trainable for one in phase.receipt] == [False, False, True, True, True]


def test_from_scratch_learns_more_than_chance(tmp_path, splits):
    config = tiny_config(strategy="scratch")
    config.finetune.epochs = 8
    config.finetune.learning_rate = 3e-3
    model, history = train_stages(tmp_path, splits, config)
    assert history.phases[0].receipt[0].statistics_change > 0
    report = _report(model, splits.test, splits)
    assert report.accuracy > 0.5
    assert report.examples == len(splits.test)


def test_guarded_phase_that_does_not_help_is_undone(tmp_path, splits):
    def ruin(plan):
        head, last = plan.phases
        # A rate that no network survives, without the clipping that would save it.
        last = dataclasses.replace(last, learning_rate=30.0, clip_norm=1e6)
        return dataclasses.replace(plan, phases=(head, last))

    config = tiny_config(strategy="auto")
    # A probe is right on nearly everything here, and then there is no such phase.
    config.head.init = "zeros"
    model, history = train_stages(tmp_path, splits, config, edit=ruin)
    ruined = history.phases[-1]
    assert not ruined.kept
    assert ruined.blend == 0.0
    assert ruined.accuracy_after == pytest.approx(ruined.accuracy_before)
    # It exploded twice, and started over at a tenth each time.
    assert ruined.learning_rate == pytest.approx(0.3)
    report = _report(model, splits.validation, splits)
    assert report.accuracy == pytest.approx(ruined.accuracy_before, abs=1e-6)


@pytest.mark.parametrize(
    ("phase", "wrong", "left_out"),
    # Of 4 wrong, half put right are 2, more than the square root of 3; of 3, not.
    [("fine_tune", 3, True), ("fine_tune", 4, False), ("head", 1, True)]
    + [("head", 2, False), ("unguarded", 0, False)],
)
def test_guarded_phase_needs_gain_above_its_standard_error(phase, wrong, left_out):
    plan = decide(
        TrainingFacts(examples=400, classes=10, block_names=("a", "b")),
        RunConfig(strategy="partial"),
    )
    head, blocks = plan.phases
    asked = {
        "head": head,
        "fine_tune": dataclasses.replace(blocks, only_if_better=True),
        "unguarded": blocks,
    }[phase]
    last = types.SimpleNamespace(imbalance="none", accuracy_after=1 - wrong / 100)
    splits = types.SimpleNamespace(validation=range(100))
    assert finetune._cannot_gain(asked, last, splits) is left_out


def test_guarded_phase_with_no_possible_gain_is_skipped(tmp_path, splits):
    """The head is right on what it was fitted to, so nothing is left to get right."""
    known = splits.train.take(np.arange(20))
    splits = dataclasses.replace(splits, validation=known)

    def guard(plan):
        head, blocks = plan.phases
        guarded = dataclasses.replace(blocks, only_if_better=True)
        return dataclasses.replace(plan, phases=(head, guarded))

    _, history = train_stages(
        tmp_path, splits, tiny_config(strategy="partial"), edit=guard
    )
    assert history.phases[-1].accuracy_after == 1.0
    assert history.not_needed == ("fine_tune",)
    _, unguarded = train_stages(tmp_path, splits, tiny_config(strategy="partial"))
    assert unguarded.not_needed == ()


def test_nan_loss_error_says_to_lower_the_rate(tmp_path, splits):
    def explode(plan):
        (phase,) = plan.phases
        phase = dataclasses.replace(
            phase, optimizer="sgd", learning_rate=1e30, clip_norm=1e30
        )
        return dataclasses.replace(plan, phases=(phase,))

    with pytest.raises(TrainingError, match="Lower the learning rate"):
        train_stages(tmp_path, splits, tiny_config(strategy="scratch"), edit=explode)


def test_plan_without_a_block_is_refused_before_training(tmp_path, splits):
    def forget(plan):
        (phase,) = plan.phases
        kept = phase.block_multipliers[1:]
        return dataclasses.replace(
            plan, phases=(dataclasses.replace(phase, block_multipliers=kept),)
        )

    with pytest.raises(ConfigError, match=r"leaves out the blocks \['stem'\]"):
        train_stages(tmp_path, splits, tiny_config(strategy="head_only"), edit=forget)
    assert not (tmp_path / "history.jsonl").exists()


def test_after_the_deadline_only_the_first_phase_runs(tmp_path, splits):
    past = time.monotonic() - 1
    _, history = train_stages(
        tmp_path, splits, tiny_config(strategy="auto"), deadline=past
    )
    assert [phase.name for phase in history.phases] == ["head"]
    assert history.skipped == ("fine_tune_last_half",)
    assert len(history.phases[0].epochs) == 1


def test_order_of_examples_changes_with_phase_and_seed(tmp_path, splits):
    results = {
        seed: train_stages(tmp_path, splits, tiny_config(strategy="full", seed=seed))[1]
        for seed in (0, 1)
    }
    losses = [
        phase.epochs[0]["loss"] for run in results.values() for phase in run.phases
    ]
    assert len(set(losses)) == 4
