"""The best single block beside the last one, and heads on the network cut there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from pipelines.config import RunConfig
from pipelines.features.block_vectors import head_inputs_of
from pipelines.planning.boundary import DepthEvidence, blocks_from
from pipelines.planning.evidence import Evidence
from pipelines.planning.head_inputs import inputs_after_cut
from pipelines.probing.depths import Compare, paired_comparison, unpaired
from pipelines.problems.protocol import Problem
from pipelines.stages.evidence.compare import compared_rows, score_among
from zoo.builder import Backbone


def with_depths(
    evidence: Evidence,
    base: Backbone,
    train: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    problem: Problem,
    config: RunConfig,
    *,
    weights: np.ndarray | None = None,
) -> Evidence:
    """The evidence with the best single block beside the last one.

    Heads on a network that is cut are scored where the config asks for a cut, or where
    `auto` could make it. Nothing is compared of a network that is read at one block.

    Raises:
        ConfigError: if the backbone does not have the block to cut after.
    """
    if len(evidence.depths) < 2 or config.head.pooling != "average":
        return evidence
    compare: Compare = unpaired
    if problem.reads_classes and problem.counts_mistakes:
        rows = compared_rows(problem, labels, groups, seed=config.seed)
        compare = paired_comparison(train, labels, groups, rows, weights)
    best, last = evidence.best_depth, evidence.depths[-1]
    depth = DepthEvidence(best.reads[0], compare(last, best))
    may_cut = config.strategy == "auto" and depth.over_last.is_clear
    if config.strategy != "cut" and not may_cut:
        return dataclasses.replace(evidence, depth=depth)
    names = [score.reads[0] for score in evidence.depths]
    after = blocks_from(
        names,
        config.head.cut_after or depth.block,
        field="head.cut_after",
        backbone=config.backbone,
    )[0]
    inputs = inputs_after_cut(head_inputs_of(base), names, after=after)
    cuts = tuple(
        score_among(
            train,
            labels,
            groups,
            head_input,
            problem,
            seed=config.seed,
            weights=weights,
        )
        for head_input in inputs
    )
    best_cut = max(cuts, key=lambda score: score.quality)
    of_cut = compare(evidence.best_head, best_cut)
    return dataclasses.replace(
        evidence,
        depth=dataclasses.replace(depth, cut_after=after, of_cut=of_cut),
        cuts=cuts,
    )
