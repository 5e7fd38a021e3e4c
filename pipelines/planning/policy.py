"""From facts about the data and the backbone to a transfer plan. Pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.config import FinetuneConfig, RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.plan import HeadPlan, Phase, TransferPlan

# A block that is a whole network, such as a SavedModel, trains at the rate of the
# middle of one: EfficientNet-Lite0 has 18 blocks.
_MIDDLE_OF_A_NETWORK = 8


@dataclasses.dataclass(frozen=True)
class TrainingFacts:
    """What the policy knows before anything is trained.

    `trainable` is false where nothing in the backbone can train.
    """

    examples: int
    classes: int
    block_names: tuple[str, ...]
    trainable: bool = True


def decide(facts: TrainingFacts, config: RunConfig) -> TransferPlan:
    """The plan for a strategy; `auto` chooses by effort and guards what it adds.

    Raises:
        ConfigError: if the strategy trains blocks and nothing in them can train.
    """
    if not facts.trainable and config.strategy not in ("auto", "head_only"):
        raise ConfigError(
            f"config.strategy is '{config.strategy}', but nothing in the backbone"
            f" '{config.backbone}' can train: its features are frozen. Use 'head_only'"
            " or 'auto'."
        )
    head = HeadPlan(
        pooling=config.head.pooling,
        recurrent_units=config.head.recurrent_units,
        hidden_units=tuple(config.head.hidden_units),
        dropout=config.head.dropout,
        init="zeros" if config.strategy == "scratch" else config.head.init,
    )
    action, reason, phases = _POLICIES[config.strategy](facts, config)
    plan = TransferPlan(
        action=action,
        reason=reason,
        batch_size=config.batch_size,
        head=head,
        phases=phases,
    )
    plan.check_covers(facts.block_names)
    return plan


_Decision = tuple[str, str, tuple[Phase, ...]]


def _head_only(facts: TrainingFacts, config: RunConfig) -> _Decision:
    reason = f"Trains the new head on the frozen features of all {_blocks(facts)}."
    return "head_only", reason, (_head_phase(facts, config),)


def _partial(facts: TrainingFacts, config: RunConfig) -> _Decision:
    last = _last_half(facts.block_names)
    reason = (
        f"Trains the new head, then the last {len(last)} of {_blocks(facts)} with it,"
        f" {_rates(facts, config.finetune)}."
    )
    phases = (
        _head_phase(facts, config),
        _block_phase("fine_tune", facts, last, config.finetune),
    )
    return "partial", reason, phases


def _full(facts: TrainingFacts, config: RunConfig) -> _Decision:
    reason = (
        f"Trains the new head, then all {_blocks(facts)} with it,"
        f" {_rates(facts, config.finetune)}."
    )
    phases = (
        _head_phase(facts, config),
        _block_phase("fine_tune", facts, facts.block_names, config.finetune),
    )
    return "full", reason, phases


def _scratch(facts: TrainingFacts, config: RunConfig) -> _Decision:
    reason = (
        f"Trains all {_blocks(facts)} and the head from random weights at one rate;"
        " BatchNorm statistics are learned, because random ones mean nothing."
    )
    finetune = dataclasses.replace(
        config.finetune,
        backbone_multiplier=1.0,
        block_decay=1.0,
        batchnorm="trained",
    )
    phase = _block_phase("scratch", facts, facts.block_names, finetune)
    return "scratch", reason, (phase,)


def _auto(facts: TrainingFacts, config: RunConfig) -> _Decision:
    """Head; then the last half; with more effort all blocks; each kept if better."""
    if not facts.trainable:
        reason = "Trains the head: nothing in the backbone can train, it is frozen."
        return "auto", reason, (_head_phase(facts, config),)
    last = _last_half(facts.block_names)
    stretches = {
        "seconds": (),
        "minutes": (("fine_tune_last_half", last),),
        "hours": (
            ("fine_tune_last_half", last),
            ("fine_tune_all", facts.block_names),
        ),
    }[config.effort]
    added = tuple(
        dataclasses.replace(
            _block_phase(name, facts, blocks, config.finetune), only_if_better=True
        )
        for name, blocks in stretches
    )
    per_class = facts.examples / facts.classes
    then = "".join(
        f", then the last {len(blocks)} of {_blocks(facts)}" for _, blocks in stretches
    )
    kept = "; each later phase is kept only if validation improves" if added else ""
    reason = (
        f"Effort '{config.effort}' with {per_class:.0f} training examples per class:"
        f" trains the head{then}{kept}."
    )
    return "auto", reason, (_head_phase(facts, config), *added)


_POLICIES = {
    "head_only": _head_only,
    "partial": _partial,
    "full": _full,
    "scratch": _scratch,
    "auto": _auto,
}


def _head_phase(facts: TrainingFacts, config: RunConfig) -> Phase:
    return Phase(
        name="head",
        block_multipliers=tuple((name, 0.0) for name in facts.block_names),
        epochs=config.head.epochs,
        optimizer="adam",
        learning_rate=config.head.learning_rate,
        weight_decay=0.0,
        warmup_fraction=config.finetune.warmup_fraction,
        clip_norm=config.finetune.clip_norm,
        patience_epochs=config.finetune.patience_epochs,
        batchnorm="frozen",
        # A head that starts from a probe is at its best already, or nearly.
        only_if_better=True,
    )


def _block_phase(
    name: str,
    facts: TrainingFacts,
    trainable: Sequence[str],
    finetune: FinetuneConfig,
) -> Phase:
    """A phase with discriminative rates: the nearer to the head, the faster."""
    depth_from_head = {b: d for d, b in enumerate(reversed(facts.block_names))}
    if len(facts.block_names) == 1:
        depth_from_head = dict.fromkeys(facts.block_names, _MIDDLE_OF_A_NETWORK)
    return Phase(
        name=name,
        block_multipliers=tuple(
            (
                block,
                finetune.backbone_multiplier
                * finetune.block_decay ** depth_from_head[block]
                if block in trainable
                else 0.0,
            )
            for block in facts.block_names
        ),
        epochs=finetune.epochs,
        optimizer=finetune.optimizer,
        learning_rate=finetune.learning_rate,
        weight_decay=finetune.weight_decay,
        warmup_fraction=finetune.warmup_fraction,
        clip_norm=finetune.clip_norm,
        patience_epochs=finetune.patience_epochs,
        batchnorm=finetune.batchnorm,
        only_if_better=False,
    )


def _last_half(block_names: Sequence[str]) -> tuple[str, ...]:
    """The upper half, rounded up: half of 18 is 9, half of 5 is 3."""
    return tuple(block_names[len(block_names) // 2 :])


def _blocks(facts: TrainingFacts) -> str:
    return f"{len(facts.block_names)} blocks"


def _rates(facts: TrainingFacts, finetune: FinetuneConfig) -> str:
    last = finetune.learning_rate * finetune.backbone_multiplier
    if len(facts.block_names) == 1:
        rate = last * finetune.block_decay**_MIDDLE_OF_A_NETWORK
        return f"at {rate:.3g} for that block, which is a whole network"
    return (
        f"at {last:g} for the last"
        f" block and {finetune.block_decay:g} times that for each block before it"
    )
