"""The choices of a search: the few fields of a config that matter most."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.config import RunConfig
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    import optuna

    from pipelines.planning.evidence import Evidence, ProbeScore
    from pipelines.planning.plan import TransferPlan

# `auto` trains the head, and guards the blocks that it adds; the others insist.
_STRATEGIES = ("auto", "partial", "full")
# Each with its own learning rate of the head, 0 for the default, and weight decay.
_OPTIMIZERS = {
    "adam": ("adam", 0.0, 0.0),
    "adamw": ("adamw", 0.0, 0.01),
    "sgd": ("sgd", 0.01, 0.0),
}
_AUGMENTATIONS = ("auto", "none", "light", "strong")
_MULTIPLIER = (0.1, 1.0)
_DECAY = (0.6, 1.0)


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """The open choices; fields that the config sets stay as they are.

    A field counts as set where it differs from its default. `heads` are names of inputs
    of a head, each with its fields in a config.
    """

    config: RunConfig
    strategies: tuple[str, ...]
    heads: Mapping[str, tuple[str, int]]
    optimizers: tuple[str, ...]
    augmentations: tuple[str, ...]
    searches_multiplier: bool
    searches_decay: bool

    @property
    def is_empty(self) -> bool:
        """True if the config sets every field that a search chooses."""
        return not (self.strategies or len(self.heads) > 1 or self._has_rates)

    @property
    def _has_rates(self) -> bool:
        return bool(
            self.optimizers
            or self.augmentations
            or self.searches_multiplier
            or self.searches_decay
        )

    def default(self, plan: TransferPlan) -> dict[str, object]:
        """The choices of the first trial, those of the plan without a search."""
        chosen: dict[str, object] = {}
        if self.strategies:
            chosen["strategy"] = self.config.strategy
        if len(self.heads) > 1:
            chosen["head"] = _name(plan.head.reads, plan.head.grid)
        if not self.strategies and self._trains_blocks(self.config.strategy):
            finetune = self.config.finetune
            if self.optimizers:
                chosen["optimizer"] = finetune.optimizer
            if self.searches_multiplier:
                chosen["backbone_multiplier"] = finetune.backbone_multiplier
            if self.searches_decay:
                chosen["block_decay"] = finetune.block_decay
            if self.augmentations:
                chosen["augmentation"] = self.config.augment.strength
        return chosen

    def configured(self, trial: optuna.Trial) -> RunConfig:
        """The config of a trial, which suggests the open fields."""
        config = copy.deepcopy(self.config)
        if self.strategies:
            config.strategy = trial.suggest_categorical("strategy", self.strategies)
        if len(self.heads) > 1:
            head = trial.suggest_categorical("head", tuple(self.heads))
            config.head.reads, config.head.grid = self.heads[head]
        # With `auto` the plan decides how blocks train, and that is one trial.
        if not self._trains_blocks(config.strategy):
            return config
        finetune = config.finetune
        if self.optimizers:
            preset = trial.suggest_categorical("optimizer", self.optimizers)
            finetune.optimizer, finetune.learning_rate, finetune.weight_decay = (
                _OPTIMIZERS[preset]
            )
        if self.searches_multiplier:
            finetune.backbone_multiplier = trial.suggest_float(
                "backbone_multiplier", *_MULTIPLIER, log=True
            )
        if self.searches_decay:
            finetune.block_decay = trial.suggest_float("block_decay", *_DECAY)
        if self.augmentations:
            config.augment.strength = trial.suggest_categorical(
                "augmentation", self.augmentations
            )
        return config

    def _trains_blocks(self, strategy: str) -> bool:
        return strategy in ("partial", "full", "scratch")


def search_space(
    config: RunConfig,
    plan: TransferPlan,
    evidence: Evidence | None,
    *,
    modality: str,
    trainable: bool,
) -> SearchSpace:
    """The open choices for a config and its data.

    Raises:
        ConfigError: if nothing is open.
    """
    default = RunConfig()
    finetune, augment = config.finetune, config.augment
    blocks = trainable and config.strategy != "head_only"
    is_set = {
        name: getattr(finetune, name) != getattr(default.finetune, name)
        for name in dataclasses.asdict(finetune)
    }
    optimizer_set = (
        is_set["optimizer"] or is_set["learning_rate"] or is_set["weight_decay"]
    )
    # From random weights all blocks train at one rate.
    rates = blocks and config.strategy != "scratch"
    augments = blocks and modality == "image" and augment == default.augment
    space = SearchSpace(
        config=config,
        strategies=_STRATEGIES if blocks and config.strategy == "auto" else (),
        heads=_heads(config, plan, evidence),
        optimizers=tuple(_OPTIMIZERS) if blocks and not optimizer_set else (),
        augmentations=_AUGMENTATIONS if augments else (),
        searches_multiplier=rates and not is_set["backbone_multiplier"],
        searches_decay=rates and not is_set["block_decay"],
    )
    if space.is_empty and plan.head.refit:
        raise ConfigError(
            "There is nothing to search: the backbone is fitted to the data, and its"
            " head is solved in closed form. Use `zoo train`, or set config.backbone to"
            " one that trains."
        )
    if space.is_empty:
        raise ConfigError(
            "There is nothing to search: the config sets every field that a search"
            f" chooses, or config.strategy='{config.strategy}' leaves none. Leave some"
            " of config.strategy, config.head.reads, config.finetune.optimizer,"
            " config.finetune.backbone_multiplier, config.finetune.block_decay and"
            " config.augment.strength out."
        )
    return space


def _heads(
    config: RunConfig, plan: TransferPlan, evidence: Evidence | None
) -> dict[str, tuple[str, int]]:
    """The measured inputs of a head, if the config leaves the choice open."""
    is_set = (config.head.reads, config.head.grid) != ("auto", 0)
    if evidence is None or is_set or not plan.head.standardized:
        return {}
    planned = plan.head.reads, plan.head.grid
    is_cut = planned in [(head.reads, head.grid) for head in evidence.cuts]
    heads = evidence.cuts if is_cut else evidence.heads
    return {_name(head.reads, head.grid): _fields(head) for head in heads}


def _name(reads: tuple[str, ...], grid: int) -> str:
    blocks = "last block" if len(reads) == 1 else f"{len(reads)} blocks"
    return blocks if grid == 1 else f"{blocks} in cells"


def _fields(score: ProbeScore) -> tuple[str, int]:
    return ("last" if len(score.reads) == 1 else "all"), score.grid
