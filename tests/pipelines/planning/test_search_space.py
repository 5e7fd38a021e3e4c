"""A search chooses what the config leaves open, and nothing else."""

import dataclasses

import pytest

from pipelines.config import AugmentConfig, FinetuneConfig, HeadConfig, RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.evidence import Evidence, ProbeScore
from pipelines.planning.plan import HeadPlan, TransferPlan
from pipelines.planning.search_space import SearchSpace, search_space

optuna = pytest.importorskip("optuna")


def probed(reads: tuple[str, ...], grid: int) -> ProbeScore:
    return ProbeScore(reads, grid, 8, 0.9, 0.01, 0.1, 0.1, 5.0)


EVIDENCE = Evidence(
    examples=100,
    depths=(probed(("a",), 1), probed(("b",), 1)),
    heads=(probed(("b",), 1), probed(("a", "b"), 1), probed(("a", "b"), 2)),
    majority_accuracy=0.1,
    pixel_accuracy=0.5,
    examples_per_second=10.0,
)
HEAD = HeadPlan(("a", "b"), 2, True, "average", 64, (), 0.0, "probe")
PLAN = TransferPlan("auto", "", 32, HEAD, ())


def space_of(config: RunConfig, **facts: object) -> SearchSpace:
    known = {"modality": "image", "trainable": True, **facts}
    return search_space(config, PLAN, EVIDENCE, **known)


def config_with(**choices: object) -> RunConfig:
    return space_of(RunConfig()).configured(optuna.trial.FixedTrial(choices))


def test_the_default_is_what_the_plan_would_do():
    assert space_of(RunConfig()).default(PLAN) == {
        "strategy": "auto",
        "head": "2 blocks in cells",
    }
    config = config_with(strategy="auto", head="2 blocks in cells")
    assert config == dataclasses.replace(
        RunConfig(), head=HeadConfig(reads="all", grid=2)
    )


def test_choices_become_fields():
    config = config_with(
        strategy="partial",
        head="last block",
        optimizer="sgd",
        backbone_multiplier=0.2,
        block_decay=0.7,
        augmentation="light",
    )
    assert config.strategy == "partial"
    assert (config.head.reads, config.head.grid) == ("last", 1)
    assert config.finetune == FinetuneConfig(
        optimizer="sgd",
        learning_rate=0.01,
        backbone_multiplier=0.2,
        block_decay=0.7,
    )
    assert config.augment == AugmentConfig(strength="light")


def test_what_the_config_sets_is_not_searched():
    fixed = RunConfig(
        strategy="full",
        head=HeadConfig(reads="last"),
        finetune=FinetuneConfig(weight_decay=0.1, block_decay=0.9),
    )
    space = space_of(fixed)
    assert set(space.default(PLAN)) == {"backbone_multiplier", "augmentation"}
    trial = optuna.trial.FixedTrial(
        {"backbone_multiplier": 0.5, "augmentation": "auto"}
    )
    config = space.configured(trial)
    assert config.finetune == dataclasses.replace(
        fixed.finetune, backbone_multiplier=0.5
    )
    assert (config.strategy, config.head) == ("full", fixed.head)
    assert fixed.finetune.backbone_multiplier == 1.0


def test_frozen_backbone_leaves_only_the_head():
    assert set(space_of(RunConfig(), trainable=False).default(PLAN)) == {"head"}
    scratch = RunConfig(strategy="scratch")
    assert "augmentation" in space_of(scratch).default(PLAN)
    texts = space_of(scratch, modality="text").default(PLAN)
    assert "augmentation" not in texts
    assert "optimizer" in texts
    assert "block_decay" not in texts


def test_nothing_to_choose_is_an_error():
    fixed = RunConfig(strategy="head_only", head=HeadConfig(reads="all", grid=1))
    assert not space_of(dataclasses.replace(fixed, head=HeadConfig())).is_empty
    with pytest.raises(ConfigError, match="nothing to search"):
        space_of(fixed)


def test_fitted_backbone_has_nothing_to_search():
    solved = dataclasses.replace(PLAN, head=dataclasses.replace(PLAN.head, refit=True))
    with pytest.raises(ConfigError, match="the backbone is fitted to the data"):
        search_space(RunConfig(), solved, None, modality="series", trainable=False)
