"""Phases have rates that fall with depth, unfreeze in steps, and train long enough."""

import dataclasses

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.policy import TrainingFacts, decide
from tests.support.training_facts import BLOCKS, FACTS


def test_rates_decay_from_the_head_down():
    config = RunConfig(strategy="full")
    config.finetune.block_decay = 0.5
    config.finetune.backbone_multiplier = 0.1
    phase = decide(FACTS, config).phases[-1]
    factors = [factor for _, factor in phase.block_multipliers]
    assert factors == pytest.approx([0.1 * 0.5**d for d in (4, 3, 2, 1, 0)])


@pytest.mark.parametrize(
    ("examples", "epochs", "patience"),
    # Two steps, 13 steps and 1,000 steps an epoch.
    [(50, 200, 75), (400, 31, 12), (32_000, 8, 3)],
)
def test_random_weights_train_until_they_have_had_steps(examples, epochs, patience):
    facts = dataclasses.replace(FACTS, examples=examples)
    (phase,) = decide(facts, RunConfig(strategy="scratch")).phases
    assert (phase.epochs, phase.patience_epochs) == (epochs, patience)
    asked = RunConfig(strategy="scratch")
    asked.finetune.epochs = 5
    (phase,) = decide(facts, asked).phases
    assert (phase.epochs, phase.patience_epochs) == (5, 3)
    assert decide(facts, RunConfig(strategy="full")).phases[-1].epochs == 8


def test_rate_is_lower_for_pretrained_weights():
    def rate(facts, **fields):
        config = RunConfig(**fields)
        return decide(facts, config).phases[-1].learning_rate

    random = dataclasses.replace(FACTS, pretrained=False)
    assert rate(FACTS, strategy="full") == 3e-4
    assert rate(random, strategy="full") == rate(FACTS, strategy="scratch") == 1e-3
    chosen = RunConfig(strategy="full")
    chosen.finetune.learning_rate = 0.5
    assert decide(FACTS, chosen).phases[-1].learning_rate == 0.5


def test_single_block_trains_at_middle_rate():
    facts = TrainingFacts(examples=200, classes=2, block_names=("module",))
    config = RunConfig(strategy="full")
    plan = decide(facts, config)
    assert plan.phases[-1].block_multipliers == (("module", pytest.approx(0.85**8)),)
    assert "at 8.17e-05 for that block, which is a whole network" in plan.reason
    config.finetune.block_decay = 1.0
    assert decide(facts, config).phases[-1].block_multipliers == (("module", 1.0),)


@pytest.mark.parametrize(
    ("steps", "trainable", "epochs"),
    [
        (1, [BLOCKS], 8),
        (2, [BLOCKS[3:], BLOCKS], 4),
        (3, [BLOCKS[4:], BLOCKS[2:], BLOCKS], 2),
        (99, [BLOCKS[4 - i :] for i in range(5)], 1),
    ],
)
def test_blocks_unfreeze_in_steps_from_the_last_on(steps, trainable, epochs):
    config = RunConfig(strategy="full")
    config.finetune.unfreezing_steps = steps
    head, *phases = decide(FACTS, config).phases
    assert head.trains_head_only
    assert [phase.trainable_blocks for phase in phases] == trainable
    assert {phase.epochs for phase in phases} == {epochs}
    assert len({phase.name for phase in phases}) == len(trainable)
    # The rate of a block does not depend on when it unfreezes.
    rates = [dict(phase.block_multipliers)["block4"] for phase in phases]
    assert len(set(rates)) == 1


def test_batchnorm_statistics_are_frozen_but_from_scratch():
    for strategy in ("head_only", "partial", "full", "auto"):
        plan = decide(FACTS, RunConfig(strategy=strategy))
        assert {phase.batchnorm for phase in plan.phases} == {"frozen"}
    scratch = decide(FACTS, RunConfig(strategy="scratch"))
    assert {phase.batchnorm for phase in scratch.phases} == {"trained"}


def test_first_block_phase_finds_its_rate():
    config = _tuned(find_learning_rate=True, unfreezing_steps=2)
    plan = decide(FACTS, config)
    assert [phase.find_learning_rate for phase in plan.phases] == [False, True, False]


def _tuned(**options):
    config = RunConfig(strategy="partial")
    for name, value in options.items():
        setattr(config.finetune, name, value)
    return config


def test_batchnorm_is_reestimated_in_block_phases():
    facts = dataclasses.replace(FACTS, batchnorm_blocks=BLOCKS[:1])
    plan = decide(facts, _tuned(batchnorm="reestimated"))
    assert [phase.batchnorm for phase in plan.phases] == ["frozen", "reestimated"]
    with pytest.raises(ConfigError, match="has no BatchNorm layers.*Use 'frozen'"):
        decide(FACTS, _tuned(batchnorm="reestimated"))


@pytest.mark.parametrize(("name", "value"), [("ema_decay", 0.99), ("soup", 3)])
def test_finetune_options_hold_in_block_phases(name, value):
    plan = decide(FACTS, _tuned(**{name: value}))
    assert [getattr(phase, name) for phase in plan.phases] == [0, value]
