"""The phases of a plan on the tiny backbone: what they move, and when they end."""

import dataclasses
import time

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


def test_cut_trains_new_blocks_and_none_above_it(tmp_path, splits):
    config = tiny_config(strategy="cut")
    config.head.cut_after, config.finetune.from_block = "block2", "block1"
    config.finetune.guard = False
    model, history = train_stages(tmp_path, splits, config)
    head, blocks = history.phases
    moved = [
        [row.block for row in p.receipt if row.largest_change > 0]
        for p in (head, blocks)
    ]
    assert moved == [["head"], ["block1", "block2", "head"]]
    assert (head.blend, blocks.blend) == (1.0, 1.0)
    assert "block3_conv" not in [layer.name for layer in model.model.layers]
    new = next(layer for layer in model.head_layers if layer.name == "new_block_0")
    assert np.abs(new.outer.kernel).max() > 0
    # In the head phase alone it trains too.
    assert head.trained_parameters > model.logits_layer.count_params()


def test_undone_phase_of_new_blocks_leaves_the_probe(tmp_path, splits):
    def ruin(plan):
        (head,) = plan.phases
        head = dataclasses.replace(head, learning_rate=30.0, clip_norm=1e6)
        return dataclasses.replace(plan, phases=(head,))

    model, history = train_stages(
        tmp_path, splits, tiny_config(strategy="cut"), edit=ruin
    )
    assert not history.phases[0].kept
    new = next(layer for layer in model.head_layers if layer.name == "new_block_0")
    assert not np.any(new.outer.kernel)


def test_named_phase_is_kept_whole_or_undone(tmp_path, splits):
    """Where it is kept, its weights are those without a guard, to the bit."""
    config = tiny_config(strategy="partial")
    config.head.init = "zeros"
    config.finetune.learning_rate, config.finetune.epochs = 3e-3, 4
    guarded, history = train_stages(tmp_path / "a", splits, config)
    assert (history.phases[-1].kept, history.phases[-1].blend) == (True, 1.0)
    config.finetune.guard = False
    plain, unguarded = train_stages(tmp_path / "b", splits, config)
    assert unguarded.phases[-1].gain_standard_error == 0.0
    for ours, theirs in zip(
        guarded.model.get_weights(), plain.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


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

    config = tiny_config(strategy="partial")
    # A probe is right on nearly everything here, and then the phase is left out.
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
    # A third of 5 put right is 1.67, more than the square root of 2.67; of 4, not.
    [("fine_tune", 4, True), ("fine_tune", 5, False)]
    # So does a head that is solved already; any other one is cheap.
    + [("solved", 4, True), ("solved", 5, False), ("head", 1, True), ("head", 2, False)]
    # Asked for by name: left out only where no gain could show.
    + [("named", 1, True), ("named", 2, False), ("named head", 2, False)],
)
def test_guarded_phase_needs_gain_above_its_standard_error(phase, wrong, left_out):
    config = RunConfig(strategy="partial")
    config.finetune.guard = False
    facts = TrainingFacts(examples=400, classes=10, block_names=("a", "b"))
    head, blocks = decide(facts, config).phases
    asked = {
        "head": dataclasses.replace(head, asked_for=False),
        "fine_tune": dataclasses.replace(blocks, only_if_better=True),
        "named": dataclasses.replace(blocks, only_if_better=True, asked_for=True),
        "solved": dataclasses.replace(head, asked_for=False),
        "named head": head,
    }[phase]
    solved = phase in ("solved", "named head")
    assert finetune._is_too_little(wrong, asked, solved=solved) is left_out


def test_guarded_phase_with_no_possible_gain_is_skipped(tmp_path, splits):
    """The head is right on what it was fitted to, so nothing is left to get right."""
    known = splits.train.take(np.arange(20))
    splits = dataclasses.replace(splits, validation=known)

    config = tiny_config(strategy="partial")
    _, history = train_stages(tmp_path, splits, config)
    assert history.phases[-1].accuracy_after == 1.0
    assert history.not_needed == ("fine_tune",)
    config.finetune.guard = False
    _, unguarded = train_stages(tmp_path, splits, config)
    assert unguarded.not_needed == ()


def test_solved_head_with_too_little_wrong_stays(tmp_path, splits):
    """`auto` knows the validation accuracy of a solved head without training it."""
    known = splits.train.take(np.arange(20))
    splits = dataclasses.replace(splits, validation=known)

    config = tiny_config(strategy="auto")
    model, history = train_stages(tmp_path, splits, config)
    assert history.phases == ()
    assert history.not_needed == ("head",)
    assert _report(model, splits.validation, splits).accuracy == 1.0
    config.effort = "hours"
    _, asked = train_stages(tmp_path, splits, config)
    assert [phase.name for phase in asked.phases] == ["head"]


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
    config = tiny_config(strategy="partial")
    config.finetune.guard = False
    _, history = train_stages(tmp_path, splits, config, deadline=past)
    assert [phase.name for phase in history.phases] == ["head"]
    assert history.skipped == ("fine_tune",)
    assert len(history.phases[0].epochs) == 1


def test_order_of_examples_changes_with_phase_and_seed(tmp_path, splits):
    losses = []
    for strategy, seed in (("full", 0), ("head_only", 1)):
        config = tiny_config(strategy=strategy, seed=seed)
        config.head.epochs = config.finetune.epochs = 1
        config.finetune.guard = False
        _, history = train_stages(tmp_path, splits, config)
        losses += [phase.epochs[0]["loss"] for phase in history.phases]
    assert len(set(losses)) == 3
