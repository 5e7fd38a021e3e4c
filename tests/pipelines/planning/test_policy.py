"""The table of cases of the policy: strategy and effort to phases."""

import dataclasses

import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.evidence import Evidence, ProbeScore
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.training.guard import paired_gain

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


def test_the_reasons_are_short_lines():
    lines = decide(_facts(), RunConfig()).reason.splitlines()
    assert len(lines) == 3
    assert [line.split()[0] for line in lines] == ["Effort", "A", "The"]


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


def test_only_phases_of_auto_are_guarded():
    guarded = decide(FACTS, RunConfig(strategy="auto", effort="hours")).phases
    chosen = decide(FACTS, RunConfig(strategy="full")).phases
    assert [phase.only_if_better for phase in guarded] == [True, True, True]
    assert [phase.only_if_better for phase in chosen] == [True, False]


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


def test_unfreezing_steps_of_auto_are_guarded():
    config = RunConfig(effort="hours")
    config.finetune.unfreezing_steps = 2
    assert [phase.name for phase in decide(FACTS, config).phases] == [
        "head",
        "fine_tune_last_half_1_of_2",
        "fine_tune_last_half_2_of_2",
        "fine_tune_all_1_of_2",
        "fine_tune_all_2_of_2",
    ]
    assert all(phase.only_if_better for phase in decide(FACTS, config).phases)
    config.strategy = "scratch"
    (phase,) = decide(FACTS, config).phases
    assert phase.trainable_blocks == BLOCKS


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


def test_lora_without_fitting_layers_is_refused():
    facts = dataclasses.replace(FACTS, lora_blocks=BLOCKS[3:])
    plan = decide(facts, _tuned(lora_rank=4))
    assert [phase.lora_rank for phase in plan.phases] == [0, 4]
    with pytest.raises(ConfigError, match="no block of.*Leave lora_rank out.*minilm"):
        decide(FACTS, _tuned(lora_rank=4))
    below = dataclasses.replace(FACTS, lora_blocks=BLOCKS[:1])
    with pytest.raises(ConfigError, match=r"\['block0'\] have; use strategy 'full'"):
        decide(below, _tuned(lora_rank=4))


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


def test_the_reason_names_the_numbers_it_rests_on():
    reason = decide(FACTS, RunConfig(strategy="auto")).reason
    assert "100 training examples per class" in reason
    assert "last 3 of 5 blocks" in reason


def _score(accuracy, *reads, grid=1):
    return ProbeScore(
        reads=reads,
        grid=grid,
        width=8,
        accuracy=accuracy,
        standard_error=0.02,
        squared_error=1 - accuracy,
        penalty=0.1,
        sharpness=5.0,
    )


def _facts(*, heads=(0.7, 0.8, 0.9), depths=(0.5, 0.6, 0.7, 0.7, 0.7), pixels=0.3, **k):
    last, flat, gridded = heads
    evidence = Evidence(
        examples=200,
        depths=tuple(_score(a, name) for a, name in zip(depths, BLOCKS)),
        heads=(
            _score(last, BLOCKS[-1]),
            _score(flat, *BLOCKS),
            _score(gridded, *BLOCKS, grid=2),
        ),
        majority_accuracy=0.5,
        pixel_accuracy=pixels,
        examples_per_second=100.0,
    )
    facts = {"examples": 200, "classes": 2, "block_names": BLOCKS, "evidence": evidence}
    return TrainingFacts(**(facts | k))


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
    head = decide(_facts(heads=heads), config).head
    assert (head.reads, head.grid) == reads
    assert head.standardized


def test_unavailable_head_input_is_refused():
    config = RunConfig()
    config.head.reads, config.head.grid = "last", 2
    with pytest.raises(ConfigError, match=r"is not available .* it has .*\(5, 2\)"):
        decide(_facts(), config)


def test_two_examples_per_class_compare_nothing():
    few = decide(_facts(heads=(0.9, 0.5, 0.95), examples=4), RunConfig()).head
    assert (few.reads, few.grid) == (BLOCKS, 1)


def test_without_evidence_last_block_is_read():
    head = decide(FACTS, RunConfig()).head
    assert (head.reads, head.grid, head.standardized) == (BLOCKS[-1:], 1, False)


@pytest.mark.parametrize(
    ("effort", "examples", "phases"),
    [("minutes", 39, 1), ("minutes", 40, 2), ("hours", 9, 1), ("hours", 10, 3)],
)
def test_blocks_train_only_where_validation_can_tell(effort, examples, phases):
    plan = decide(_facts(examples=examples), RunConfig(effort=effort))
    assert len(plan.phases) == phases
    assert ("too few to tell" in plan.reason) == (phases == 1)


def test_nearly_perfect_head_is_left_alone():
    facts = _facts(heads=(0.7, 0.8, 0.985))
    assert len(decide(facts, RunConfig()).phases) == 1
    assert "could add 1.5% at most" in decide(facts, RunConfig()).reason
    assert len(decide(facts, RunConfig(effort="hours")).phases) == 3


@pytest.mark.parametrize(
    ("accuracy", "validation", "phases"),
    [(0.95, 39, 1), (0.95, 41, 2), (0.9, 19, 1), (0.9, 21, 2), (0.95, None, 2)],
)
def test_blocks_train_only_for_visible_gains(accuracy, validation, phases):
    facts = _facts(heads=(0.7, 0.8, accuracy), validation=validation)
    plan = decide(facts, RunConfig())
    assert len(plan.phases) == phases
    assert ("validation examples wrong" in plan.reason) is (phases == 1)
    # What was asked for is done.
    assert len(decide(facts, RunConfig(strategy="partial")).phases) == 2


@pytest.mark.parametrize("examples", [10, 100, 1000])
def test_gain_needs_two_examples(examples):
    """What the policy says of validation is what the guard does."""
    before = np.zeros(examples, bool)
    for right, shows in ((1, False), (2, True)):
        after = np.arange(examples) < right
        gain, error = paired_gain(before, after, np.ones(examples))
        assert (gain > error) is shows


def test_the_reason_tells_similar_from_different():
    similar = decide(_facts(), RunConfig()).reason
    different = decide(_facts(depths=(0.5, 0.8, 0.7, 0.7, 0.7)), RunConfig()).reason
    random = decide(_facts(pretrained=False), RunConfig()).reason
    assert "data and source are similar" in similar
    assert "The best single block is 'block1' (80.0%)" in different
    assert "different from the source" in different
    assert "source" not in random


RULES = [
    ({"examples": 100}, "small_similar", "'head_only'"),
    ({"examples": 200}, "large_similar", "'full'"),
    ({"examples": 100, "depths": (0.5, 0.8, 0.7, 0.7, 0.7)}, "small_different", "part"),
    (
        {"examples": 200, "depths": (0.5, 0.8, 0.7, 0.7, 0.7)},
        "large_different",
        "'full",
    ),
]


@pytest.mark.parametrize(("given", "name", "strategy"), RULES)
def test_plan_names_rule_and_follows_strategy(given, name, strategy):
    plan = decide(_facts(**given), RunConfig())
    assert plan.rule == name
    assert f"('{name}') is: " in plan.reason
    assert strategy in plan.reason
    assert plan.action == "auto"
    chosen = decide(_facts(**given), RunConfig(strategy="full"))
    assert (chosen.rule, chosen.action) == (name, "full")
    assert chosen.phases[-1].trainable_blocks == BLOCKS


def test_unknown_similarity_names_no_rule():
    one_block = dataclasses.replace(_facts().evidence, depths=(_score(0.7, "module"),))
    for facts in (FACTS, _facts(pretrained=False), _facts(evidence=one_block)):
        plan = decide(facts, RunConfig())
        assert plan.rule == ""
        assert "classic rule" not in plan.reason


def test_backbone_worse_than_thumbnails_gets_warning():
    assert "Warning" not in decide(_facts(pixels=0.85), RunConfig()).reason
    for strategy in ("auto", "full", "head_only"):
        reason = decide(_facts(pixels=0.95), RunConfig(strategy=strategy)).reason
        assert "thumbnails alone give 95.0%, and the best head 90.0%" in reason
    pooled = RunConfig()
    pooled.head.pooling, pooled.head.init = "max", "zeros"
    assert "thumbnails alone" in decide(_facts(pixels=0.95), pooled).reason


def test_features_that_tell_nothing_are_warned_of():
    """The most frequent class is right on half; a standard error is 2 %."""
    above = decide(_facts(heads=(0.4, 0.5, 0.53)), RunConfig()).reason
    within = decide(_facts(heads=(0.4, 0.5, 0.51)), RunConfig()).reason
    assert "Warning" not in above
    assert "Warning: always saying the most frequent class is right on 50.0%" in within


def test_too_few_examples_do_not_read_as_enough():
    reason = decide(_facts(examples=217, classes=11), RunConfig()).reason
    assert "only: 19.7 training examples per class are too few" in reason
    assert "wants 20" in reason
    assert "only: 19 training" in decide(_facts(examples=38), RunConfig()).reason


def test_single_examples_per_class_report_no_accuracy():
    reason = decide(_facts(examples=5, classes=4), RunConfig()).reason
    assert "was not measured: with 1.2 training examples per class" in reason
    assert "is right on" not in reason
    assert "is right on" in decide(_facts(examples=6, classes=4), RunConfig()).reason


def test_reason_counts_fitted_and_left_out():
    facts = _facts(examples=9000, classes=1000)
    evidence = dataclasses.replace(facts.evidence, examples=700, fitted_examples=8000)
    reason = decide(dataclasses.replace(facts, evidence=evidence), RunConfig()).reason
    assert "fitted to 8000 training examples, 700 of them left out in turn" in reason
