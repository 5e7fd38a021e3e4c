"""What the head of a plan reads, and whether the network is cut for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning.boundary import DepthEvidence
from pipelines.planning.evidence import ProbeScore
from pipelines.planning.plan import HeadPlan
from pipelines.planning.training_facts import COMPARABLE_PER_CLASS, TrainingFacts

_BLOCKS_OF_A_CUT = 1


@dataclasses.dataclass(frozen=True)
class HeadChoice:
    """The measured input of the head, if there is one, and the blocks below it.

    `kept` are the blocks that are part of the model: all, unless the network is cut.
    `conv_blocks` new ones lie between them and the head. With `anew` everything trains
    at once, from random weights; with `refit` the head is solved, and nothing trains.
    """

    read: ProbeScore | None
    kept: tuple[str, ...]
    is_cut: bool
    conv_blocks: int
    anew: bool = False
    refit: bool = False

    def plan(self, config: RunConfig) -> HeadPlan:
        """The head with the layers that the config asks for."""
        read = self.read
        return HeadPlan(
            reads=read.reads if read else self.kept[-1:],
            grid=read.grid if read else 1,
            standardized=read is not None,
            pooling=config.head.pooling,
            recurrent_units=config.head.recurrent_units,
            hidden_units=tuple(config.head.hidden_units),
            dropout=config.head.dropout,
            init="zeros" if self.anew else config.head.init,
            conv_blocks=self.conv_blocks,
            refit=self.refit,
        )


def choose_head(facts: TrainingFacts, config: RunConfig) -> HeadChoice:
    """The best measured input of the head.

    The network is cut with strategy `cut`, and with `auto` where the cut loses nothing.

    Raises:
        ConfigError: if the backbone cannot be cut, or has no such input.
    """
    names = facts.block_names
    depth = facts.evidence.depth if facts.evidence else None
    blocks = max(0, config.head.conv_blocks)
    if _trains_anew(facts, config):
        return HeadChoice(None, names, False, blocks, anew=True)
    if config.strategy == "cut":
        if facts.evidence is None or depth is None or not facts.evidence.cuts:
            why = (
                "is measured at its last block only, because blocks of tokens have no"
                " averages"
                if len(names) > 1
                else "is a single block"
            )
            raise ConfigError(
                f"config.strategy is 'cut', but the backbone '{config.backbone}' {why},"
                " so there is no depth to cut at. Use strategy='head_only'; where the"
                " features are a map or a sequence, head.conv_blocks=1 adds a new block"
                " on all of them."
            )
        return _cut(facts, config, depth, facts.evidence.cuts)
    if (
        config.strategy == "auto"
        and facts.evidence is not None
        and depth is not None
        and cut_loses_nothing(depth)
        and facts.per_class >= COMPARABLE_PER_CLASS
    ):
        return _cut(facts, config, depth, facts.evidence.cuts)
    read = _best_input(facts, config)
    return HeadChoice(read, names, False, blocks, refit=_refits(facts, config))


def _trains_anew(facts: TrainingFacts, config: RunConfig) -> bool:
    """True if everything trains at once: no block gives features of all inputs."""
    tune = config.finetune
    has_nothing_to_keep = not (tune.soup or tune.lora_rank or tune.from_block)
    is_whole = tune.tune == "all" and not config.folds
    reads_too_little = facts.trains_from_random or facts.has_new_inputs
    is_for_auto = reads_too_little and facts.trainable
    return config.strategy == "scratch" or (
        config.strategy == "auto" and is_for_auto and has_nothing_to_keep and is_whole
    )


def _refits(facts: TrainingFacts, config: RunConfig) -> bool:
    """True if the head is solved once, for training and validation together.

    Not where a teacher is, whose answers are learned in steps.
    """
    head = config.head
    is_solved = head.init == "probe" and not head.hidden_units and not head.dropout
    return (
        facts.can_refit
        and is_solved
        and head.pooling == "average"
        and head.conv_blocks <= 0
        and config.imbalance == "none"
        and not config.distil.teacher
        and config.strategy in ("auto", "head_only")
        and not config.folds
    )


def cut_loses_nothing(depth: DepthEvidence) -> bool:
    """True if an earlier block is clearly better, and a head there as good as any."""
    of_cut = depth.of_cut
    return depth.over_last.is_clear and of_cut is not None and of_cut.gain >= 0


def _cut(
    facts: TrainingFacts,
    config: RunConfig,
    depth: DepthEvidence,
    cuts: Sequence[ProbeScore],
) -> HeadChoice:
    kept = facts.block_names[: facts.block_names.index(depth.cut_after) + 1]
    blocks = config.head.conv_blocks
    return HeadChoice(
        _best_of(cuts, facts, config),
        kept,
        is_cut=len(kept) < len(facts.block_names),
        conv_blocks=_BLOCKS_OF_A_CUT if blocks < 0 else blocks,
    )


def _best_input(facts: TrainingFacts, config: RunConfig) -> ProbeScore | None:
    """The best measured input of the head; None if nothing was measured."""
    evidence = facts.evidence
    if evidence is None or config.head.pooling != "average":
        return None
    return _best_of(evidence.heads, facts, config)


def _best_of(
    heads: Sequence[ProbeScore], facts: TrainingFacts, config: RunConfig
) -> ProbeScore:
    allowed = [
        head
        for head in heads
        if config.head.reads in ("auto", "last" if len(head.reads) == 1 else "all")
        and config.head.grid in (0, head.grid)
    ]
    if not allowed:
        have = [(len(head.reads), head.grid) for head in heads]
        raise ConfigError(
            f"config.head.reads='{config.head.reads}' with head.grid={config.head.grid}"
            f" is not available from '{config.backbone}'; it has (blocks, grid) {have}."
            " Use reads='auto' and grid=0."
        )
    if facts.per_class < COMPARABLE_PER_CLASS or not facts.trains:
        # No score is reliable; on the development data all blocks were best.
        return allowed[min(1, len(allowed) - 1)]
    return max(allowed, key=lambda head: head.quality)
