"""From facts about the data and the backbone to a transfer plan. Pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.evidence import ProbeScore
from pipelines.planning.phases import (
    block_phase,
    block_phases,
    finding_rate,
    head_phase,
    last_half,
    long_enough,
    rates_in_words,
)
from pipelines.planning.plan import NOTICEABLE, HeadPlan, Phase, TransferPlan
from pipelines.planning.reasons import (
    classic_rule_in_words,
    measurements,
    rounded_down,
    warnings,
)
from pipelines.planning.training_facts import COMPARABLE_PER_CLASS, TrainingFacts

# Below these, validation is too small to show harm by training blocks.
_EXAMPLES_PER_CLASS = {"minutes": 20, "hours": 5}
# A head of this accuracy is not trained further, to save time.
_ENOUGH = {"minutes": 0.98}


def decide(facts: TrainingFacts, config: RunConfig) -> TransferPlan:
    """The plan for a strategy; `auto` chooses by effort and guards what it adds.

    Raises:
        ConfigError: if the strategy trains blocks and nothing in them can train, or if
            the backbone has no layers of the kind that an option is for.
    """
    if not facts.trainable and config.strategy not in ("auto", "head_only"):
        raise ConfigError(
            f"config.strategy is '{config.strategy}', but nothing in the backbone"
            f" '{config.backbone}' can train: its features are frozen. Use 'head_only'"
            " or 'auto'."
        )
    read = _head_input(facts, config)
    head = HeadPlan(
        reads=read.reads if read else facts.block_names[-1:],
        grid=read.grid if read else 1,
        standardized=read is not None,
        pooling=config.head.pooling,
        recurrent_units=config.head.recurrent_units,
        hidden_units=tuple(config.head.hidden_units),
        dropout=config.head.dropout,
        init="zeros" if _trains_anew(facts, config) else config.head.init,
        refit=_refits(facts, config),
    )
    _refuse_no_batchnorm(facts, config)
    action, reason, phases = _POLICIES[config.strategy](facts, config)
    _refuse_no_lora(facts, config, phases)
    if config.finetune.find_learning_rate:
        phases = finding_rate(phases)
    plan = TransferPlan(
        action=action,
        reason="\n".join(
            part.strip()
            for part in (
                reason,
                measurements(facts, read),
                classic_rule_in_words(facts),
                warnings(facts),
            )
            if part
        ),
        rule=facts.classic_rule.name if facts.classic_rule else "",
        batch_size=config.batch_size,
        head=head,
        phases=phases,
        seed=config.seed,
        augment=dataclasses.replace(config.augment),
    )
    plan.check_covers(facts.block_names)
    return plan


def _refuse_no_batchnorm(facts: TrainingFacts, config: RunConfig) -> None:
    if config.finetune.batchnorm == "reestimated" and not facts.batchnorm_blocks:
        raise ConfigError(
            f"config.finetune.batchnorm is 'reestimated', but the backbone"
            f" '{config.backbone}' has no BatchNorm layers whose statistics can be set:"
            " it has none, or they are inside a SavedModel. Use 'frozen' or 'trained'."
        )


def _refuse_no_lora(
    facts: TrainingFacts, config: RunConfig, phases: Sequence[Phase]
) -> None:
    for phase in phases:
        if not phase.lora_rank or set(phase.trainable_blocks) & set(facts.lora_blocks):
            continue
        instead = (
            f"Its blocks {list(facts.lora_blocks)} have; use strategy 'full'."
            if facts.lora_blocks
            else "Leave lora_rank out and choose how much trains by the strategy and"
            " finetune.backbone_multiplier, or use a transformer, such as minilm_l6 for"
            " texts."
        )
        raise ConfigError(
            f"config.finetune.lora_rank is {phase.lora_rank}, but no block of"
            f" '{config.backbone}' that phase '{phase.name}' trains has a dense,"
            f" attention or embedding layer. {instead}"
        )


def _head_input(facts: TrainingFacts, config: RunConfig) -> ProbeScore | None:
    """The best measured input of the head; None if nothing was measured."""
    evidence = facts.evidence
    if evidence is None or config.head.pooling != "average":
        return None
    if _trains_anew(facts, config):
        return None
    allowed = [
        head
        for head in evidence.heads
        if config.head.reads in ("auto", "last" if len(head.reads) == 1 else "all")
        and config.head.grid in (0, head.grid)
    ]
    if not allowed:
        have = [(len(head.reads), head.grid) for head in evidence.heads]
        raise ConfigError(
            f"config.head.reads='{config.head.reads}' with head.grid={config.head.grid}"
            f" is not available from '{config.backbone}'; it has (blocks, grid) {have}."
            " Use reads='auto' and grid=0."
        )
    if facts.per_class < COMPARABLE_PER_CLASS:
        # No score is reliable; on the development data all blocks were best.
        return allowed[min(1, len(allowed) - 1)]
    return max(allowed, key=lambda head: head.quality)


_Decision = tuple[str, str, tuple[Phase, ...]]


def _trains_anew(facts: TrainingFacts, config: RunConfig) -> bool:
    """True if everything trains at once, from random weights."""
    tune = config.finetune
    has_nothing_to_keep = not (tune.soup or tune.lora_rank)
    is_for_auto = facts.untrained_series and facts.trainable and has_nothing_to_keep
    return config.strategy == "scratch" or (config.strategy == "auto" and is_for_auto)


def _refits(facts: TrainingFacts, config: RunConfig) -> bool:
    """True if the head is solved once, for training and validation together."""
    head = config.head
    is_solved = head.init == "probe" and not head.hidden_units and not head.dropout
    return (
        facts.can_refit
        and is_solved
        and head.pooling == "average"
        and config.imbalance == "none"
    )


_SOLVED = (
    "Solves the head in closed form, for training and validation together; validation"
    " is judged by heads that each leave out one of its examples."
)


def _head_only(facts: TrainingFacts, config: RunConfig) -> _Decision:
    if _refits(facts, config):
        return "head_only", _SOLVED, ()
    reason = f"Trains the new head on the frozen features of all {_blocks(facts)}."
    return "head_only", reason, (head_phase(facts, config),)


def _partial(facts: TrainingFacts, config: RunConfig) -> _Decision:
    last = last_half(facts.block_names)
    blocks = f"the last {len(last)} of {_blocks(facts)}"
    return _head_then("partial", blocks, last, facts, config)


def _full(facts: TrainingFacts, config: RunConfig) -> _Decision:
    return _head_then("full", f"all {_blocks(facts)}", facts.block_names, facts, config)


def _head_then(
    name: str,
    blocks: str,
    block_names: tuple[str, ...],
    facts: TrainingFacts,
    config: RunConfig,
) -> _Decision:
    """The new head, and then some blocks with it."""
    rates = rates_in_words(facts, config.finetune)
    phases = (
        head_phase(facts, config),
        *block_phases("fine_tune", facts, block_names, config.finetune),
    )
    return name, f"Trains the new head, then {blocks} with it, {rates}.", phases


def _scratch(facts: TrainingFacts, config: RunConfig) -> _Decision:
    reason = (
        f"Trains all {_blocks(facts)} and the head from random weights at one rate;"
        " BatchNorm statistics are learned, because random ones mean nothing."
    )
    finetune = dataclasses.replace(
        long_enough(facts, config),
        backbone_multiplier=1.0,
        block_decay=1.0,
        batchnorm="trained",
    )
    random = dataclasses.replace(facts, pretrained=False)
    phase = block_phase("scratch", random, facts.block_names, finetune)
    return "scratch", reason, (phase,)


def _auto(facts: TrainingFacts, config: RunConfig) -> _Decision:
    """Head; then the last half; with more effort all blocks; each kept if better."""
    if _refits(facts, config):
        return "auto", _SOLVED, ()
    if _trains_anew(facts, config):
        return _scratch(facts, config)
    only = _why_head_only(facts, config)
    if only:
        return "auto", only, (head_phase(facts, config),)
    last = last_half(facts.block_names)
    stretches = {
        "seconds": (),
        "minutes": (("fine_tune_last_half", last),),
        "hours": (
            ("fine_tune_last_half", last),
            ("fine_tune_all", facts.block_names),
        ),
    }[config.effort]
    added = tuple(
        dataclasses.replace(phase, only_if_better=True)
        for name, blocks in stretches
        for phase in block_phases(name, facts, blocks, config.finetune)
    )
    then = "".join(
        f", then the last {len(blocks)} of {_blocks(facts)}" for _, blocks in stretches
    )
    kept = (
        "; each later phase is kept only if validation improves by more than a standard"
        " error"
        if added
        else ""
    )
    reason = (
        f"Effort '{config.effort}' with {rounded_down(facts.per_class)} training"
        f" examples per {facts.part}: trains the head{then}{kept}."
    )
    return "auto", reason, (head_phase(facts, config), *added)


def _why_head_only(facts: TrainingFacts, config: RunConfig) -> str:
    """The reason why `auto` trains no blocks at this effort; empty if it does."""
    if not facts.trainable:
        return "Trains the head: nothing in the backbone can train, it is frozen."
    least = _EXAMPLES_PER_CLASS.get(config.effort, 0)
    if facts.per_class < least:
        return (
            f"Trains the head only: {rounded_down(facts.per_class)} training examples"
            f" per {facts.part} are too few to show harm by training blocks (effort"
            f" '{config.effort}' wants {least})."
        )
    read = _head_input(facts, config)
    if read is None:
        return ""
    if read.accuracy >= _ENOUGH.get(config.effort, 1.0):
        return (
            f"Trains the head only: it starts at {read.accuracy:.1%}, and training"
            f" blocks could add {1 - read.accuracy:.1%} at most (effort 'hours' tries)."
        )
    if facts.validation is None or config.effort == "seconds":
        return ""
    wrong = facts.validation * (1 - read.accuracy)
    if wrong < NOTICEABLE:
        return (
            f"Trains the head only: it starts at {read.accuracy:.1%}, which is"
            f" {rounded_down(wrong)} of {facts.validation} validation examples wrong,"
            " and no gain shows there beyond its standard error with fewer than"
            f" {NOTICEABLE}."
        )
    return ""


_POLICIES = {
    "head_only": _head_only,
    "partial": _partial,
    "full": _full,
    "scratch": _scratch,
    "auto": _auto,
}


def _blocks(facts: TrainingFacts) -> str:
    return f"{len(facts.block_names)} blocks"
