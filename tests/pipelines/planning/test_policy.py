"""The table of cases of the policy: strategy and effort to phases."""

import dataclasses

import numpy as np
import pytest

from pipelines.config import HeadConfig, RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.paired import paired_gain
from pipelines.planning.policy import decide
from tests.support.training_facts import BLOCKS, FACTS, facts_to_cut, measured_facts

LAST_HALF = BLOCKS[2:]


CASES = [
    ("cut", "minutes", [()]),
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
    facts = facts_to_cut(gain=-0.1, examples=40)
    plan = decide(facts, RunConfig(strategy=strategy, effort=effort))
    assert [phase.trainable_blocks for phase in plan.phases] == trainable
    assert plan.action == strategy


def test_every_strategy_of_the_config_is_a_case():
    from pipelines.config import CHOICES

    assert {case[0] for case in CASES} == set(CHOICES["strategy"])
    assert {case[1] for case in CASES} == set(CHOICES["effort"])


def test_new_columns_train_everything_at_once():
    facts = measured_facts(has_new_inputs=True, examples=40)
    plan = decide(facts, RunConfig())
    (phase,) = plan.phases
    assert phase.trainable_blocks == BLOCKS
    assert plan.head.init == "zeros"
    assert "start at zero" in plan.reason


@pytest.mark.parametrize("effort", ["seconds", "minutes", "hours"])
def test_untrained_series_train_everything_by_steps(effort):
    facts = measured_facts(trains_from_random=True, pretrained=False, examples=40)
    plan = decide(facts, RunConfig(effort=effort, batch_size=32))
    (phase,) = plan.phases
    assert phase.trainable_blocks == BLOCKS
    assert phase.batchnorm == "trained"
    assert phase.epochs == 500  # of 2 steps each
    assert phase.patience_epochs == 188
    assert (plan.head.init, plan.head.standardized) == ("zeros", False)
    head_only = decide(facts, RunConfig(strategy="head_only"))
    assert head_only.head.standardized


REFITTED = {"trainable": False, "can_refit": True}


@pytest.mark.parametrize("strategy", ["auto", "head_only"])
def test_solved_head_leaves_nothing_to_train(strategy):
    facts = measured_facts(**REFITTED)
    plan = decide(facts, RunConfig(strategy=strategy))
    assert plan.phases == ()
    assert plan.head.refit
    assert "for training and validation together" in plan.reason
    assert not decide(measured_facts(), RunConfig(strategy=strategy)).head.refit


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        ({"imbalance": "weights"}, {}),
        ({}, {"dropout": 0.1}),
        ({}, {"init": "zeros"}),
        ({}, {"init": "epsilon", "hidden_units": (8,)}),
    ],
)
def test_other_heads_are_trained_not_refitted(fields, head):
    config = RunConfig(strategy="head_only", head=HeadConfig(**head), **fields)
    plan = decide(measured_facts(**REFITTED), config)
    assert not plan.head.refit
    assert [phase.name for phase in plan.phases] == ["head"]


@pytest.mark.parametrize(("strategy", "effort", "trainable"), CASES)
def test_where_nothing_can_train_only_the_head_does(strategy, effort, trainable):
    facts = dataclasses.replace(facts_to_cut(), trainable=False)
    config = RunConfig(strategy=strategy, effort=effort)
    if strategy in ("auto", "cut", "head_only"):
        plan = decide(facts, config)
        assert [phase.trainable_blocks for phase in plan.phases] == [()]
    else:
        with pytest.raises(ConfigError, match=f"'{strategy}', but nothing in the back"):
            decide(facts, config)


@pytest.mark.parametrize("strategy", ["partial", "full"])
def test_named_phases_are_kept_whole_or_undone(strategy):
    config = RunConfig(strategy=strategy)
    plan = decide(FACTS, config)
    kept = [(phase.only_if_better, phase.whole) for phase in plan.phases]
    assert kept == [(True, False), (True, True)]
    assert "undone unless validation improves" in plan.reason
    config.finetune.guard = False
    plan = decide(FACTS, config)
    kept = [(phase.only_if_better, phase.whole) for phase in plan.phases]
    assert kept == [(True, False), (False, False)]
    assert "undone" not in plan.reason


def test_random_weights_and_new_blocks_need_no_guard():
    (scratch,) = decide(FACTS, RunConfig(strategy="scratch")).phases
    assert not scratch.only_if_better
    config = RunConfig(strategy="cut")
    config.finetune.guard = False
    assert not decide(facts_to_cut(), config).phases[0].only_if_better


def test_unfreezing_steps_of_auto_are_guarded():
    config = RunConfig(effort="hours")
    config.finetune.unfreezing_steps = 2
    facts = dataclasses.replace(FACTS, examples=40)
    phases = decide(facts, config).phases
    assert [phase.name for phase in phases] == [
        "head",
        "fine_tune_1_of_2",
        "fine_tune_2_of_2",
        "fine_tune_all_1_of_2",
        "fine_tune_all_2_of_2",
    ]
    assert all(phase.only_if_better and not phase.whole for phase in phases)
    config.strategy = "scratch"
    (phase,) = decide(FACTS, config).phases
    assert phase.trainable_blocks == BLOCKS


def test_lora_without_fitting_layers_is_refused():
    facts = dataclasses.replace(FACTS, lora_blocks=BLOCKS[3:])
    plan = decide(facts, _tuned(lora_rank=4))
    assert [phase.lora_rank for phase in plan.phases] == [0, 4]
    with pytest.raises(ConfigError, match="no block of.*Leave lora_rank out.*minilm"):
        decide(FACTS, _tuned(lora_rank=4))
    below = dataclasses.replace(FACTS, lora_blocks=BLOCKS[:1])
    with pytest.raises(ConfigError, match=r"\['block0'\] have; use strategy 'full'"):
        decide(below, _tuned(lora_rank=4))


@pytest.mark.parametrize(("tune", "word"), [("bias", "a bias"), ("norm", "a norm")])
def test_tuning_of_weights_not_there_is_refused(tune, word):
    facts = dataclasses.replace(FACTS, **{f"{tune}_blocks": BLOCKS[3:]})
    plan = decide(facts, _tuned(tune=tune))
    assert [phase.tune for phase in plan.phases] == ["all", tune]
    with pytest.raises(
        ConfigError, match=f"'{tune}', but no block.*{word}.*Leave tune"
    ):
        decide(FACTS, _tuned(tune=tune))
    below = dataclasses.replace(FACTS, **{f"{tune}_blocks": BLOCKS[:1]})
    with pytest.raises(ConfigError, match=r"\['block0'\] have; use strategy 'full'"):
        decide(below, _tuned(tune=tune))


def test_an_epoch_without_an_update_is_refused():
    batches = -(-FACTS.examples // 32)
    head, last = decide(FACTS, _tuned(accumulate_steps=batches)).phases
    assert (head.accumulate_steps, last.accumulate_steps) == (1, batches)
    with pytest.raises(ConfigError, match=f"an update. Use at most {batches}, or"):
        decide(FACTS, _tuned(accumulate_steps=batches + 1))


def _tuned(**options):
    config = RunConfig(strategy="partial")
    for name, value in options.items():
        setattr(config.finetune, name, value)
    return config


HEADS = [
    ((0.7, 0.8, 0.9), {}, (BLOCKS, 2)),
    ((0.7, 0.9, 0.8), {}, (BLOCKS, 1)),
    ((0.9, 0.8, 0.7), {}, (BLOCKS[-1:], 1)),
    ((0.7, 0.8, 0.9), {"reads": "last"}, (BLOCKS[-1:], 1)),
    ((0.9, 0.7, 0.8), {"reads": "all"}, (BLOCKS, 2)),
    ((0.7, 0.8, 0.9), {"grid": 1}, (BLOCKS, 1)),
]


@pytest.mark.parametrize(("heads", "asked", "reads"), HEADS)
def test_head_reads_best_allowed_input(heads, asked, reads):
    config = RunConfig()
    for name, value in asked.items():
        setattr(config.head, name, value)
    head = decide(measured_facts(heads=heads), config).head
    assert (head.reads, head.grid) == reads
    assert head.standardized


def test_unavailable_head_input_is_refused():
    config = RunConfig()
    config.head.reads, config.head.grid = "last", 2
    with pytest.raises(ConfigError, match=r"is not available .* it has .*\(5, 2\)"):
        decide(measured_facts(), config)


def test_two_examples_per_class_compare_nothing():
    few = decide(measured_facts(heads=(0.9, 0.5, 0.95), examples=4), RunConfig()).head
    assert (few.reads, few.grid) == (BLOCKS, 1)


def test_without_evidence_last_block_is_read():
    head = decide(FACTS, RunConfig()).head
    assert (head.reads, head.grid, head.standardized) == (BLOCKS[-1:], 1, False)


def test_cut_trains_blocks_below_it_if_asked():
    config = RunConfig(strategy="cut")
    config.finetune.from_block = "block1"
    plan = decide(facts_to_cut(), config)
    assert [phase.trainable_blocks for phase in plan.phases] == [(), BLOCKS[1:3]]
    factors = dict(plan.phases[1].block_multipliers)
    assert factors["block2"] == 1.0  # the last block of the network that is left
    config.finetune.from_block = "block3"
    with pytest.raises(ConfigError, match="no such block.*block0, block1, block2"):
        decide(facts_to_cut(), config)


def test_nearly_perfect_head_is_left_alone():
    facts = measured_facts(heads=(0.7, 0.8, 0.985))
    assert len(decide(facts, RunConfig()).phases) == 1
    assert "could add 1.5% at most" in decide(facts, RunConfig()).reason
    assert len(decide(facts, RunConfig(effort="hours")).phases) == 2


@pytest.mark.parametrize(
    ("accuracy", "validation", "phases"),
    [(0.95, 97, 1), (0.95, 98, 2), (0.9, 48, 1), (0.9, 49, 2), (0.95, None, 2)],
)
def test_blocks_train_only_for_visible_gains(accuracy, validation, phases):
    facts = measured_facts(heads=(0.7, 0.8, accuracy), validation=validation)
    plan = decide(facts, RunConfig())
    assert len(plan.phases) == phases
    assert ("validation examples wrong" in plan.reason) is (phases == 1)
    # What was asked for is done.
    assert len(decide(facts, RunConfig(strategy="partial")).phases) == 2


@pytest.mark.parametrize("examples", [10, 100, 1000])
def test_gain_needs_two_examples(examples):
    """The policy and the guard agree on the smallest gain."""
    before = np.zeros(examples, bool)
    for right, shows in ((1, False), (2, True)):
        after = np.arange(examples) < right
        gain, error = paired_gain(before, after, unit=1.0)
        assert (gain > error) is shows


def test_every_phase_has_the_loss_of_numbers():
    plan = decide(FACTS, _tuned(number_loss="squared"))
    assert {phase.number_loss for phase in plan.phases} == {"squared"}
