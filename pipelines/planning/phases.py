"""The phases of a plan: which blocks train, at what rates, for how many epochs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.config import FinetuneConfig, RunConfig
from pipelines.planning.plan import Phase
from pipelines.planning.training_facts import TrainingFacts

# A block that is a whole network, such as a SavedModel, trains at the rate of the
# middle of one: EfficientNet-Lite0 has 18 blocks.
_MIDDLE_OF_A_NETWORK = 8
# From random weights a network needs steps, however few the data are: 8 epochs of
# GunPoint's 50 series are 16 steps.
_EPOCHS = 8
_STEPS_FROM_RANDOM = 400
_MOST_EPOCHS = 200
# Networks for series are small, and so are their data.
_STEPS_OF_SERIES = 1000
_MOST_EPOCHS_OF_SERIES = 1000


def head_phase(
    facts: TrainingFacts, config: RunConfig, *, new_blocks: int = 0
) -> Phase:
    """The phase that trains the head only, with the new blocks under it."""
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
        # A head that starts from a probe is already at its best, or nearly. New blocks
        # are not, and without a guard they stay.
        only_if_better=config.finetune.guard or not new_blocks,
        number_loss=config.finetune.number_loss,
        asked_for=config.strategy != "auto" or config.effort == "hours",
    )


def of_whole_network(phase: Phase, block_names: Sequence[str]) -> Phase:
    """A phase of a network that is cut, with the blocks above the cut, frozen."""
    factors = dict(phase.block_multipliers)
    rows = tuple((name, factors.get(name, 0.0)) for name in block_names)
    return dataclasses.replace(phase, block_multipliers=rows)


def guarded(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """The same phases, each kept whole or undone, as validation says."""
    return tuple(
        dataclasses.replace(phase, only_if_better=True, whole=True, asked_for=True)
        for phase in phases
    )


def block_phases(
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
        return (block_phase(name, facts, trainable, finetune),)
    epochs = finetune.epochs or _EPOCHS
    shorter = dataclasses.replace(finetune, epochs=max(1, epochs // steps))
    return tuple(
        block_phase(
            f"{name}_{step}_of_{steps}",
            facts,
            trainable[len(trainable) - len(trainable) * step // steps :],
            shorter,
        )
        for step in range(1, steps + 1)
    )


def block_phase(
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
        momentum=finetune.momentum,
        tune=finetune.tune,
        label_smoothing=finetune.label_smoothing,
        accumulate_steps=finetune.accumulate_steps,
        number_loss=finetune.number_loss,
    )


def _rate(facts: TrainingFacts, finetune: FinetuneConfig) -> float:
    """The rate of the head while blocks train.

    With 1e-3, validation on emoji and on MNIST falls at first and hardly comes back;
    with 1e-4 it gains half as much as with 3e-4 in the same epochs.
    """
    chosen = 3e-4 if facts.pretrained else 1e-3
    return finetune.learning_rate or chosen


def rates_in_words(facts: TrainingFacts, finetune: FinetuneConfig) -> str:
    """The rates of the last block and of the blocks before it, for a reason."""
    last = _rate(facts, finetune) * finetune.backbone_multiplier
    if len(facts.block_names) == 1:
        rate = last * finetune.block_decay**_MIDDLE_OF_A_NETWORK
        return f"at {rate:.3g} for that block, which is a whole network"
    return (
        f"at {last:g} for the last"
        f" block and {finetune.block_decay:g} times that for each block before it"
    )


def last_half(block_names: Sequence[str]) -> tuple[str, ...]:
    """The upper half, rounded up: half of 18 is 9, half of 5 is 3."""
    return tuple(block_names[len(block_names) // 2 :])


def long_enough(facts: TrainingFacts, config: RunConfig) -> FinetuneConfig:
    """The config of fine-tuning with epochs for random weights, unless it sets them."""
    if config.finetune.epochs:
        return config.finetune
    per_epoch = -(-facts.examples // config.batch_size)
    steps, most = _STEPS_FROM_RANDOM, _MOST_EPOCHS
    if facts.trains_from_random:
        steps, most = _STEPS_OF_SERIES, _MOST_EPOCHS_OF_SERIES
    epochs = min(most, max(_EPOCHS, -(-steps // per_epoch)))
    patience = -(-config.finetune.patience_epochs * epochs // _EPOCHS)
    return dataclasses.replace(config.finetune, epochs=epochs, patience_epochs=patience)


def finding_rate(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The same phases; the first one that trains blocks finds its rate."""
    first = next((phase for phase in phases if phase.trainable_blocks), None)
    return tuple(
        dataclasses.replace(phase, find_learning_rate=phase is first)
        for phase in phases
    )
