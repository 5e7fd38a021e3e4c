"""From facts about the data and the backbone to a transfer plan. Pure functions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from pipelines.config import FinetuneConfig, RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.classic_rules import ClassicRule, classic_rule
from pipelines.planning.evidence import Evidence, ProbeScore
from pipelines.planning.plan import NOTICEABLE, HeadPlan, Phase, TransferPlan

# A block that is a whole network, such as a SavedModel, trains at the rate of the
# middle of one: EfficientNet-Lite0 has 18 blocks.
_MIDDLE_OF_A_NETWORK = 8
# Below these, validation is too small to tell whether training blocks did harm.
_EXAMPLES_PER_CLASS = {"minutes": 20, "hours": 5}
# From random weights a network needs steps, however few the data are: of GunPoint's 50
# series, 8 epochs are 16 steps.
_EPOCHS = 8
_STEPS_FROM_RANDOM = 400
_MOST_EPOCHS = 200
# A head that is right so often is left alone, to save the time.
_ENOUGH = {"minutes": 0.98}
# Left out of a class of two, an example has one other to be recognized by.
_COMPARABLE_PER_CLASS = 3
# And left out of a class of one, it has none.
_LEFT_OUT_PER_CLASS = 1.5


@dataclasses.dataclass(frozen=True)
class TrainingFacts:
    """What the policy knows before anything is trained.

    `trainable` is false where nothing in the backbone can train, and `pretrained` where
    its weights are random. There is `evidence` unless it is to train from scratch;
    `validation` examples, if their number is known, judge what a phase gains.
    `batchnorm_blocks` are those with BatchNorm layers whose statistics can be set,
    `lora_blocks` those with dense, attention or embedding layers.
    """

    examples: int
    classes: int
    block_names: tuple[str, ...]
    trainable: bool = True
    pretrained: bool = True
    evidence: Evidence | None = None
    validation: int | None = None
    batchnorm_blocks: tuple[str, ...] = ()
    lora_blocks: tuple[str, ...] = ()

    @property
    def per_class(self) -> float:
        return self.examples / self.classes

    @property
    def classic_rule(self) -> ClassicRule | None:
        """The classic rule for such data; none where similarity was not measured."""
        evidence = self.evidence
        if evidence is None or not self.pretrained or len(evidence.depths) < 2:
            return None
        return classic_rule(
            examples=self.examples,
            per_class=self.per_class,
            similar=evidence.is_similar,
        )


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
    read = _reading(facts, config)
    head = HeadPlan(
        reads=read.reads if read else facts.block_names[-1:],
        grid=read.grid if read else 1,
        standardized=read is not None,
        pooling=config.head.pooling,
        recurrent_units=config.head.recurrent_units,
        hidden_units=tuple(config.head.hidden_units),
        dropout=config.head.dropout,
        init="zeros" if config.strategy == "scratch" else config.head.init,
    )
    _refuse_no_batchnorm(facts, config)
    action, reason, phases = _POLICIES[config.strategy](facts, config)
    _refuse_no_lora(facts, config, phases)
    if config.finetune.find_learning_rate:
        phases = _finding_rate(phases)
    plan = TransferPlan(
        action=action,
        reason="\n".join(
            part.strip()
            for part in (
                reason,
                _findings(facts, read),
                _classic(facts),
                _warnings(facts),
            )
            if part
        ),
        rule=facts.classic_rule.name if facts.classic_rule else "",
        batch_size=config.batch_size,
        head=head,
        phases=phases,
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


def _reading(facts: TrainingFacts, config: RunConfig) -> ProbeScore | None:
    """What the head reads, by what did best; nothing where nothing was measured."""
    evidence = facts.evidence
    if evidence is None or config.head.pooling != "average":
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
            f" cannot be had from '{config.backbone}'; it has (blocks, grid) {have}."
            " Use reads='auto' and grid=0."
        )
    if facts.per_class < _COMPARABLE_PER_CLASS:
        # Nothing can be told apart; on the development data all blocks did best.
        return allowed[min(1, len(allowed) - 1)]
    return max(allowed, key=lambda head: head.quality)


def _findings(facts: TrainingFacts, read: ProbeScore | None) -> str:
    """What was measured, in words."""
    evidence = facts.evidence
    if evidence is None or read is None:
        return ""
    if facts.per_class < _LEFT_OUT_PER_CLASS:
        return (
            " How well a head does was not measured: with"
            f" {_rounded_down(facts.per_class)} training examples per class, most have"
            " no other of their class to be recognized by."
        )
    last, best = evidence.heads[0], evidence.best_depth
    probe = (
        f"A linear probe fitted to {evidence.fitted_examples} training examples,"
        f" {evidence.examples} of them left out in turn,"
        if evidence.fitted_examples
        else f"A linear probe on {evidence.examples} training examples, each left out"
        " in turn,"
    )
    words = (
        f" {probe} is right on {read.accuracy:.1%} (standard error"
        f" {read.standard_error:.1%}) reading {_in_words(read)}"
    )
    if read.reads != last.reads:
        words += f", and on {last.accuracy:.1%} reading the last block alone"
    words += "."
    if len(evidence.depths) > 1 and facts.pretrained:
        words += (
            " The last block is the best single one: data and source are similar."
            if evidence.is_similar
            else f" The best single block is '{best.reads[0]}' ({best.accuracy:.1%}):"
            " the data are different from the source."
        )
    return words


def _classic(facts: TrainingFacts) -> str:
    """Which of the classic rules is for such data, and how to follow it instead."""
    rule = facts.classic_rule
    if rule is None:
        return ""
    return (
        f" The classic rule for {rule.data} ('{rule.name}') is: {rule.action}"
        f" (strategy='{rule.strategy}')."
    )


def _warnings(facts: TrainingFacts) -> str:
    """Where the backbone brings less than nothing, whatever the head reads of it."""
    evidence = facts.evidence
    if evidence is None:
        return ""
    best, pixels = evidence.best_head, evidence.pixel_accuracy
    if pixels is not None and pixels > best.accuracy:
        return (
            f" Warning: tiny thumbnails alone give {pixels:.1%}, and the best head"
            f" {best.accuracy:.1%}, so this backbone does not help here; try another"
            " (`zoo rank` compares them), or strategy='scratch'."
        )
    if facts.per_class < _COMPARABLE_PER_CLASS:
        return ""
    if best.accuracy - best.standard_error <= evidence.majority_accuracy:
        return (
            f" Warning: always saying the most frequent class is right on"
            f" {evidence.majority_accuracy:.1%}, and the best head on"
            f" {best.accuracy:.1%}, so the features tell little of these labels; look"
            " at the labels (`zoo check`), or try another backbone (`zoo rank`)."
        )
    return ""


def _in_words(read: ProbeScore) -> str:
    blocks = "the last block" if len(read.reads) == 1 else f"{len(read.reads)} blocks"
    return blocks if read.grid == 1 else f"{blocks} in {read.grid} by {read.grid} cells"


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
        *_block_phases("fine_tune", facts, last, config.finetune),
    )
    return "partial", reason, phases


def _full(facts: TrainingFacts, config: RunConfig) -> _Decision:
    reason = (
        f"Trains the new head, then all {_blocks(facts)} with it,"
        f" {_rates(facts, config.finetune)}."
    )
    phases = (
        _head_phase(facts, config),
        *_block_phases("fine_tune", facts, facts.block_names, config.finetune),
    )
    return "full", reason, phases


def _scratch(facts: TrainingFacts, config: RunConfig) -> _Decision:
    reason = (
        f"Trains all {_blocks(facts)} and the head from random weights at one rate;"
        " BatchNorm statistics are learned, because random ones mean nothing."
    )
    finetune = dataclasses.replace(
        _long_enough(facts, config),
        backbone_multiplier=1.0,
        block_decay=1.0,
        batchnorm="trained",
    )
    random = dataclasses.replace(facts, pretrained=False)
    phase = _block_phase("scratch", random, facts.block_names, finetune)
    return "scratch", reason, (phase,)


def _long_enough(facts: TrainingFacts, config: RunConfig) -> FinetuneConfig:
    """How long random weights train, where the config leaves that open."""
    if config.finetune.epochs:
        return config.finetune
    per_epoch = -(-facts.examples // config.batch_size)
    epochs = min(_MOST_EPOCHS, max(_EPOCHS, -(-_STEPS_FROM_RANDOM // per_epoch)))
    patience = -(-config.finetune.patience_epochs * epochs // _EPOCHS)
    return dataclasses.replace(config.finetune, epochs=epochs, patience_epochs=patience)


def _auto(facts: TrainingFacts, config: RunConfig) -> _Decision:
    """Head; then the last half; with more effort all blocks; each kept if better."""
    only = _why_head_only(facts, config)
    if only:
        return "auto", only, (_head_phase(facts, config),)
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
        dataclasses.replace(phase, only_if_better=True)
        for name, blocks in stretches
        for phase in _block_phases(name, facts, blocks, config.finetune)
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
        f"Effort '{config.effort}' with {_rounded_down(facts.per_class)} training"
        f" examples per class: trains the head{then}{kept}."
    )
    return "auto", reason, (_head_phase(facts, config), *added)


def _why_head_only(facts: TrainingFacts, config: RunConfig) -> str:
    """Why `auto` trains no blocks at this effort; nothing where it does."""
    if not facts.trainable:
        return "Trains the head: nothing in the backbone can train, it is frozen."
    least = _EXAMPLES_PER_CLASS.get(config.effort, 0)
    if facts.per_class < least:
        return (
            f"Trains the head only: {_rounded_down(facts.per_class)} training examples"
            f" per class are too few to tell whether training blocks does harm (effort"
            f" '{config.effort}' wants {least})."
        )
    read = _reading(facts, config)
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
            f" {_rounded_down(wrong)} of {facts.validation} validation examples wrong,"
            " and no gain shows there beyond its standard error with fewer than"
            f" {NOTICEABLE}."
        )
    return ""


def _rounded_down(count: float) -> str:
    """With a digit where it is not whole, so that 19.97 does not read as 20."""
    tenths = math.floor(10 * count)
    return f"{tenths / 10:.1f}" if tenths % 10 else f"{tenths // 10}"


def _finding_rate(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The same phases, of which the first that trains blocks finds its rate."""
    first = next((phase for phase in phases if phase.trainable_blocks), None)
    return tuple(
        dataclasses.replace(phase, find_learning_rate=phase is first)
        for phase in phases
    )


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


def _block_phases(
    name: str,
    facts: TrainingFacts,
    trainable: Sequence[str],
    finetune: FinetuneConfig,
) -> tuple[Phase, ...]:
    """One phase, or several in which more and more blocks train, from the last on.

    Unfreezing gradually keeps earlier blocks from gradients of a head and of blocks
    that have not settled (https://arxiv.org/abs/1801.06146). The epochs are divided.
    """
    steps = min(finetune.unfreezing_steps, len(trainable))
    if steps == 1:
        return (_block_phase(name, facts, trainable, finetune),)
    epochs = finetune.epochs or _EPOCHS
    shorter = dataclasses.replace(finetune, epochs=max(1, epochs // steps))
    return tuple(
        _block_phase(
            f"{name}_{step}_of_{steps}",
            facts,
            trainable[len(trainable) - len(trainable) * step // steps :],
            shorter,
        )
        for step in range(1, steps + 1)
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
        epochs=finetune.epochs or _EPOCHS,
        optimizer=finetune.optimizer,
        learning_rate=_rate(facts, finetune),
        weight_decay=finetune.weight_decay,
        warmup_fraction=finetune.warmup_fraction,
        clip_norm=finetune.clip_norm,
        patience_epochs=finetune.patience_epochs,
        batchnorm=finetune.batchnorm,
        only_if_better=False,
        ema_decay=finetune.ema_decay,
        soup=finetune.soup,
        lora_rank=finetune.lora_rank,
    )


def _last_half(block_names: Sequence[str]) -> tuple[str, ...]:
    """The upper half, rounded up: half of 18 is 9, half of 5 is 3."""
    return tuple(block_names[len(block_names) // 2 :])


def _blocks(facts: TrainingFacts) -> str:
    return f"{len(facts.block_names)} blocks"


def _rate(facts: TrainingFacts, finetune: FinetuneConfig) -> float:
    """The rate of the head while blocks train.

    With 1e-3, validation on emoji and on MNIST falls at first and hardly comes back;
    with 1e-4 it gains half as much as with 3e-4 in the same epochs.
    """
    chosen = 3e-4 if facts.pretrained else 1e-3
    return finetune.learning_rate or chosen


def _rates(facts: TrainingFacts, finetune: FinetuneConfig) -> str:
    last = _rate(facts, finetune) * finetune.backbone_multiplier
    if len(facts.block_names) == 1:
        rate = last * finetune.block_decay**_MIDDLE_OF_A_NETWORK
        return f"at {rate:.3g} for that block, which is a whole network"
    return (
        f"at {last:g} for the last"
        f" block and {finetune.block_decay:g} times that for each block before it"
    )
