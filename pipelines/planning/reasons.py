"""The reasons of a plan in words: measurements, the classic rule and warnings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipelines.config import RunConfig
from pipelines.planning.boundary import DepthEvidence, PairedGain
from pipelines.planning.evidence import ProbeScore
from pipelines.planning.head_choice import HeadChoice
from pipelines.planning.plan import Phase
from pipelines.planning.training_facts import COMPARABLE_PER_CLASS, TrainingFacts

# An example left out of a class of one has no other.
_LEFT_OUT_PER_CLASS = 1.5


def measurements(facts: TrainingFacts, read: ProbeScore | None) -> str:
    """A sentence on the scores of the probes; empty without any."""
    evidence = facts.evidence
    if evidence is None or read is None or not facts.trains:
        return ""
    if facts.per_class < _LEFT_OUT_PER_CLASS:
        return (
            " How well a head does was not measured: with"
            f" {rounded_down(facts.per_class)} training examples per {facts.part},"
            f" most have no other of their {facts.part} to be recognized by."
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
        f" {probe} {_reaches(facts, read.accuracy)} (standard error"
        f" {read.standard_error:.1%}) reading {_in_words(read)}"
    )
    if read.reads != last.reads:
        on = "on" if evidence.metric == "accuracy" else "one of"
        words += f", and {on} {last.accuracy:.1%} reading the last block alone"
    words += "."
    if len(evidence.depths) > 1 and facts.pretrained:
        words += (
            " The last block is the best single one: data and source are similar."
            if evidence.is_similar
            else f" The best single block is '{best.reads[0]}' ({best.accuracy:.1%}"
            f"{_over_last(evidence.depth)}): the data are different from the source."
        )
    return words


def _over_last(depth: DepthEvidence | None) -> str:
    if depth is None:
        return ""
    return f", {_gain(depth.over_last)} over the last one"


def _gain(gain: PairedGain) -> str:
    return f"{gain.gain:+.1%} ± {gain.standard_error:.1%}"


def classic_rule_in_words(
    facts: TrainingFacts,
    choice: HeadChoice,
    phases: Sequence[Phase],
    config: RunConfig,
) -> str:
    """The classic rule for the data, and whether the plan follows it, or why not.

    Empty where similarity is not known.
    """
    rule = facts.classic_rule
    if rule is None:
        return ""
    words = (
        f" The classic rule for {rule.data} ('{rule.name}') is: {rule.action}"
        f" (strategy='{rule.strategy}')."
    )
    why_not = _why_not(rule.strategy, facts, choice, phases, config)
    return f"{words} {why_not or 'The plan follows it.'}"


def _why_not(
    strategy: str,
    facts: TrainingFacts,
    choice: HeadChoice,
    phases: Sequence[Phase],
    config: RunConfig,
) -> str:
    """The reason why a plan does something else than a rule; empty if it does that."""
    trained = {name for phase in phases for name in phase.trainable_blocks}
    done = {
        "head_only": not trained and not choice.is_cut,
        "full": trained == set(facts.block_names),
        "cut": choice.is_cut and bool(choice.conv_blocks),
    }
    if done[strategy]:
        return ""
    if config.strategy != "auto":
        return f"The plan does what strategy='{config.strategy}' asks for."
    depth = facts.evidence.depth if facts.evidence else None
    if strategy == "cut" and depth is not None and depth.of_cut is not None:
        return (
            "The plan keeps all blocks, because the best head on the network cut after"
            f" '{depth.cut_after}' gains {_gain(depth.of_cut)} over the best one on all"
            " of it."
        )
    if strategy == "head_only":
        return (
            "The plan goes on from there: blocks train as far as the examples of a"
            f" {facts.part} allow, and only what validation shows to be better stays."
        )
    if trained:
        return (
            f"The plan trains {len(trained)} of {len(facts.block_names)} blocks, as the"
            f" {rounded_down(facts.per_class)} examples of a {facts.part} allow."
        )
    return "The plan leaves the blocks as they are, for the reason above."


def warnings(facts: TrainingFacts) -> str:
    """Warnings about a backbone that is worse than baselines without it."""
    evidence = facts.evidence
    if evidence is None or not facts.trains:
        return ""
    best, pixels = evidence.best_head, evidence.pixel_accuracy
    if pixels is not None and pixels > best.accuracy:
        return (
            f" Warning: tiny thumbnails alone give {pixels:.1%}, and the best head"
            f" {best.accuracy:.1%}, so this backbone does not help here; try another"
            " (`zoo rank` compares them), or strategy='scratch'."
        )
    if facts.per_class < COMPARABLE_PER_CLASS:
        return ""
    floor = evidence.majority_accuracy
    if best.accuracy - best.standard_error <= floor:
        same = (
            "always saying the most frequent class"
            if evidence.metric == "accuracy"
            else "the same answer for all"
        )
        return (
            f" Warning: {same} {_reaches(facts, floor)}, and the best head"
            f" {_reaches(facts, best.accuracy)}, so the features say little about these"
            " labels; look at the labels (`zoo check`), or try another backbone"
            " (`zoo rank`)."
        )
    return ""


def _reaches(facts: TrainingFacts, value: float) -> str:
    """The score of a probe in words: a share that is right, or another metric."""
    evidence = facts.evidence
    if evidence is None or evidence.metric == "accuracy":
        return f"is right on {value:.1%}"
    return f"has a {evidence.metric} of {value:.1%}"


def _in_words(read: ProbeScore) -> str:
    blocks = "the last block" if len(read.reads) == 1 else f"{len(read.reads)} blocks"
    return blocks if read.grid == 1 else f"{blocks} in {read.grid} by {read.grid} cells"


def rounded_down(count: float) -> str:
    """The count with a digit unless it is whole, so that 19.97 does not read as 20."""
    tenths = math.floor(10 * count)
    return f"{tenths / 10:.1f}" if tenths % 10 else f"{tenths // 10}"
