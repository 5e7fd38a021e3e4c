"""From facts about the data and the backbone to a transfer plan. Pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.auto import automatic, chosen_blocks
from pipelines.planning.boundary import AUTO, blocks_from
from pipelines.planning.head_choice import HeadChoice, choose_head
from pipelines.planning.phases import (
    block_phase,
    block_phases,
    finding_rate,
    guarded,
    head_phase,
    last_half,
    long_enough,
    of_whole_network,
    rates_in_words,
)
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.planning.reasons import (
    classic_rule_in_words,
    measurements,
    warnings,
)
from pipelines.planning.training_facts import TrainingFacts


def decide(facts: TrainingFacts, config: RunConfig) -> TransferPlan:
    """The plan for a strategy; `auto` chooses by effort and guards what it adds.

    Raises:
        ConfigError: if the strategy trains blocks and nothing in them can train, or if
            the backbone has no block, or no layers of the kind, that an option is for.
    """
    trains = config.strategy not in ("auto", "head_only", "cut")
    if not facts.trainable and (trains or config.finetune.from_block):
        asked = (
            f"config.strategy is '{config.strategy}'"
            if trains
            else f"config.finetune.from_block is '{config.finetune.from_block}'"
        )
        raise ConfigError(
            f"{asked}, but nothing in the backbone '{config.backbone}' can train: its"
            " features are frozen. Use strategy 'head_only' or 'auto', and no"
            " finetune.from_block."
        )
    choice = choose_head(facts, config)
    _refuse_no_batchnorm(facts, config)
    reason, phases = _POLICIES[config.strategy](
        dataclasses.replace(facts, block_names=choice.kept), config, choice
    )
    phases = tuple(of_whole_network(phase, facts.block_names) for phase in phases)
    _refuse_no_lora(facts, config, phases)
    _refuse_nothing_tuned(facts, config, phases)
    _refuse_no_update(facts, config, phases)
    if config.finetune.find_learning_rate:
        phases = finding_rate(phases)
    plan = TransferPlan(
        action=config.strategy,
        reason="\n".join(
            part.strip()
            for part in (
                reason,
                measurements(facts, choice.read),
                classic_rule_in_words(facts, choice, phases, config),
                warnings(facts),
            )
            if part
        ),
        rule=facts.classic_rule.name if facts.classic_rule else "",
        batch_size=config.batch_size,
        head=choice.plan(config),
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


def _refuse_nothing_tuned(
    facts: TrainingFacts, config: RunConfig, phases: Sequence[Phase]
) -> None:
    tunable = {"bias": facts.bias_blocks, "norm": facts.norm_blocks}
    words = {"bias": "a bias", "norm": "a norm with a scale or an offset"}
    for phase in phases:
        if phase.tune == "all" or phase.trains_head_only:
            continue
        have = tunable[phase.tune]
        if not set(phase.trainable_blocks) & set(have):
            instead = (
                f"Its blocks {list(have)} have; use strategy 'full'."
                if have
                else "Leave tune out, or use another backbone."
            )
            raise ConfigError(
                f"config.finetune.tune is '{phase.tune}', but no block of"
                f" '{config.backbone}' that phase '{phase.name}' trains has"
                f" {words[phase.tune]}. {instead}"
            )


def _refuse_no_update(
    facts: TrainingFacts, config: RunConfig, phases: Sequence[Phase]
) -> None:
    batches = -(-facts.examples // config.batch_size)
    if any(phase.accumulate_steps > batches for phase in phases):
        raise ConfigError(
            f"config.finetune.accumulate_steps is {config.finetune.accumulate_steps},"
            f" and an epoch of {facts.examples} training examples has {batches} batches"
            f" of {config.batch_size}: it would pass without an update. Use at most"
            f" {batches}, or a smaller config.batch_size."
        )


_Decision = tuple[str, tuple[Phase, ...]]


_SOLVED = (
    "Solves the head in closed form, for training and validation together; validation"
    " is judged by heads that each leave out one of its examples."
)


_FITTED = (
    "Fits a detector of anomalies to normal examples; nothing trains in the backbone."
)


def _automatic(
    facts: TrainingFacts, config: RunConfig, choice: HeadChoice
) -> _Decision:
    if not facts.trains:
        return _FITTED, ()
    if choice.refit:
        return _SOLVED, ()
    if choice.anew:
        return _scratch(facts, config, choice)
    return automatic(facts, config, choice)


def _head_only(
    facts: TrainingFacts, config: RunConfig, choice: HeadChoice
) -> _Decision:
    if not facts.trains:
        return _FITTED, ()
    if choice.refit:
        return _SOLVED, ()
    new = _new_blocks_in_words(choice)
    reason = f"Trains the new head{new} on the frozen features of all {_blocks(facts)}."
    return reason, (head_phase(facts, config, new_blocks=choice.conv_blocks),)


def _partial(facts: TrainingFacts, config: RunConfig, choice: HeadChoice) -> _Decision:
    blocks = _named_blocks(facts, config) or last_half(facts.block_names)
    return _head_then(blocks, facts, config, choice)


def _full(facts: TrainingFacts, config: RunConfig, choice: HeadChoice) -> _Decision:
    return _head_then(facts.block_names, facts, config, choice)


def _cut(facts: TrainingFacts, config: RunConfig, choice: HeadChoice) -> _Decision:
    """The head on a network without its last blocks, and blocks that the config names.

    `facts` are of the blocks that are kept.
    """
    place = (
        f"Cuts the network after '{choice.kept[-1]}'"
        if choice.is_cut
        else f"Keeps all blocks: the last one, '{choice.kept[-1]}', is the best"
    )
    blocks = _named_blocks(facts, config)
    if blocks:
        reason, phases = _head_then(blocks, facts, config, choice)
        return f"{place}. {reason}", phases
    new = _new_blocks_in_words(choice)
    reason = (
        f"{place}, and trains the new head{new} on the frozen features of"
        f" {_blocks(facts)}."
    )
    return reason, (head_phase(facts, config, new_blocks=choice.conv_blocks),)


def _named_blocks(facts: TrainingFacts, config: RunConfig) -> tuple[str, ...]:
    """The blocks that `from_block` asks for, one at least; none if it is empty."""
    start = config.finetune.from_block
    if not start:
        return ()
    if start == AUTO:
        return chosen_blocks(facts, config) or facts.block_names[-1:]
    return blocks_from(
        facts.block_names, start, field="finetune.from_block", backbone=config.backbone
    )


def _head_then(
    blocks: Sequence[str], facts: TrainingFacts, config: RunConfig, choice: HeadChoice
) -> _Decision:
    """The new head, and then some blocks with it."""
    rates = rates_in_words(facts, config.finetune)
    total = _blocks(facts)
    trained = (
        f"all {total}"
        if len(blocks) == len(facts.block_names)
        else f"the last {len(blocks)} of {total}"
    )
    added = block_phases("fine_tune", facts, blocks, config.finetune)
    kept = ""
    if config.finetune.guard:
        added = guarded(added)
        kept = "; that is undone unless validation improves (finetune.guard)"
    reason = (
        f"Trains the new head{_new_blocks_in_words(choice)}, then {trained} with it,"
        f" {rates}{kept}."
    )
    return reason, (head_phase(facts, config, new_blocks=choice.conv_blocks), *added)


def _new_blocks_in_words(choice: HeadChoice) -> str:
    if not choice.conv_blocks:
        return ""
    count = choice.conv_blocks
    return f" and {count} new residual block{'s' if count > 1 else ''} under it"


def _scratch(facts: TrainingFacts, config: RunConfig, choice: HeadChoice) -> _Decision:
    reason = (
        f"Trains all {_blocks(facts)} and the head from random weights at one rate;"
        " BatchNorm statistics are learned, because random ones mean nothing."
    )
    if facts.has_new_inputs and config.strategy != "scratch":
        reason = (
            f"Trains all {_blocks(facts)} and the head at one rate: the published"
            " weights are for other inputs. Columns that are new to the network start"
            " at zero, and channels as the mean of all."
        )
    finetune = dataclasses.replace(
        long_enough(facts, config),
        backbone_multiplier=1.0,
        block_decay=1.0,
        batchnorm="trained",
    )
    random = dataclasses.replace(facts, pretrained=False)
    phase = block_phase("scratch", random, facts.block_names, finetune)
    return reason, (phase,)


_POLICIES = {
    "head_only": _head_only,
    "partial": _partial,
    "full": _full,
    "cut": _cut,
    "scratch": _scratch,
    "auto": _automatic,
}


def _blocks(facts: TrainingFacts) -> str:
    return f"{len(facts.block_names)} blocks"
