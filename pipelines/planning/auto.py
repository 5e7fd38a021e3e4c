"""The strategy `auto`: what it trains is measured, guarded, and left out in vain."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.planning.boundary import AUTO, blocks_from, last_share, unfrozen_share
from pipelines.planning.head_choice import HeadChoice
from pipelines.planning.phases import block_phases, head_phase
from pipelines.planning.plan import Phase, blocks_could_gain
from pipelines.planning.reasons import rounded_down
from pipelines.planning.training_facts import TrainingFacts

# A head of this accuracy is not trained further, to save time.
_ENOUGH = {"minutes": 0.98}


def automatic(
    facts: TrainingFacts, config: RunConfig, choice: HeadChoice
) -> tuple[str, tuple[Phase, ...]]:
    """The reason and the phases: the head, then blocks, each kept if it is better.

    `facts` are of the network as it is cut, if it is.
    """
    head = head_phase(facts, config, new_blocks=choice.conv_blocks)
    only = _why_head_only(facts, config, choice)
    blocks = () if only else chosen_blocks(facts, config)
    if not only and not blocks:
        only = (
            f"Trains the head only: {rounded_down(facts.per_class)} training examples"
            f" per {facts.part} are too few to train blocks."
        )
    if only:
        return f"{_cut_in_words(facts, choice)}{only}", (head,)
    stretches = [("fine_tune", blocks)]
    if config.effort == "hours" and len(blocks) < len(facts.block_names):
        stretches.append(("fine_tune_all", facts.block_names))
    added = tuple(
        dataclasses.replace(phase, only_if_better=True)
        for name, names in stretches
        for phase in block_phases(name, facts, names, config.finetune)
    )
    total = f"{len(facts.block_names)} blocks"
    then = "".join(
        f", then all {total}"
        if len(names) == len(facts.block_names)
        else f", then the last {len(names)} of {total} (from '{names[0]}' on)"
        for _, names in stretches
    )
    reason = (
        f"{_cut_in_words(facts, choice)}Effort '{config.effort}' with"
        f" {rounded_down(facts.per_class)} training examples per {facts.part}: trains"
        f" the head{then}; each later phase is kept only if validation improves by more"
        " than a standard error."
    )
    return reason, (head, *added)


def chosen_blocks(facts: TrainingFacts, config: RunConfig) -> tuple[str, ...]:
    """The blocks that train: from the one that the config names, or as many as pay.

    As many as the examples of a class allow; where an earlier block is clearly better
    than the last one, from that one on at least.
    """
    names, start = facts.block_names, config.finetune.from_block
    if start and start != AUTO:
        return blocks_from(
            names, start, field="finetune.from_block", backbone=config.backbone
        )
    blocks = last_share(names, unfrozen_share(facts.per_class))
    depth = facts.evidence.depth if facts.evidence else None
    if not blocks or depth is None or not depth.over_last.is_clear:
        return blocks
    if depth.block not in names:
        return blocks
    return max(blocks, names[names.index(depth.block) :], key=len)


def _cut_in_words(facts: TrainingFacts, choice: HeadChoice) -> str:
    if not choice.is_cut:
        return ""
    new = "a new residual block" if choice.conv_blocks == 1 else "new residual blocks"
    added = f", and {new} under the head" if choice.conv_blocks else ""
    return (
        f"Cuts the network after '{choice.kept[-1]}', its best single block: a head"
        f" there does as well as one on all blocks{added}. "
    )


def _why_head_only(facts: TrainingFacts, config: RunConfig, choice: HeadChoice) -> str:
    """The reason why `auto` trains no blocks at this effort; empty if it does."""
    if not facts.trainable:
        return "Trains the head: nothing in the backbone can train, it is frozen."
    if config.effort == "seconds":
        return (
            f"Effort 'seconds' with {rounded_down(facts.per_class)} training examples"
            f" per {facts.part}: trains the head."
        )
    read = choice.read
    if read is None:
        return ""
    if read.accuracy >= _ENOUGH.get(config.effort, 1.0):
        return (
            f"Trains the head only: it starts at {read.accuracy:.1%}, and training"
            f" blocks could add {1 - read.accuracy:.1%} at most (effort 'hours' tries)."
        )
    if facts.validation is None:
        return ""
    wrong = facts.validation * (1 - read.accuracy)
    if not blocks_could_gain(wrong):
        return (
            f"Trains the head only: it starts at {read.accuracy:.1%}, which is"
            f" {rounded_down(wrong)} of {facts.validation} validation examples wrong:"
            " blocks put a third of that right at best, which would not exceed its"
            " standard error."
        )
    return ""
