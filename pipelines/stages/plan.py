"""Between measure and head: decide what trains, and how."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.planning.detectors import (
    AUTO,
    UNCOMPARED,
    best_way,
    cheapest_of_best,
    in_words,
    of_these_data,
    reads_series,
    transfer_in_words,
)
from pipelines.planning.plan import TransferPlan
from pipelines.planning.policy import decide
from pipelines.probing.cells import OF_CELLS
from pipelines.problems.registry import problem_of
from pipelines.stages.measure import Measured, training_facts
from zoo.builder import Backbone


def choose_plan(
    base: Backbone, splits: Splits, measured: Measured, config: RunConfig
) -> TransferPlan:
    """The plan for what was measured, with `auto` resolved for imbalance and detector.

    Raises:
        ConfigError: if the backbone cannot do what the config asks for.
    """
    plan = decide(training_facts(base, splits, measured), config)
    problem = problem_of(splits)
    detector = problem.detector(config, base.spec.modality)
    reason = plan.reason
    source, way = measured.source, best_way(measured.detectors)
    if detector == AUTO:
        if measured.detectors:
            detector = cheapest_of_best(of_these_data(measured.detectors))
            reason += f" {in_words(measured.detectors)}"
        else:
            detector = UNCOMPARED[base.spec.modality]
            reason += " Too few normal examples, or texts, compare no detectors."
    if source is not None:
        detector = source.method if way else detector
        reason += f" {transfer_in_words(source.place, measured.detectors)}"
    if detector:
        blocks = len(plan.head.reads)
        reads = f"{blocks} blocks" if blocks > 1 else "the last block"
        on = f"the averages of {reads}"
        if detector in OF_CELLS:
            on = f"cells of middle blocks, and {on}" if detector == "sum" else "cells"
        if reads_series(detector):
            on = "the series themselves"
        reason += f" Method: {detector}, on {on}."
    return dataclasses.replace(
        plan,
        reason=reason,
        imbalance=problem.imbalance(config.imbalance, splits.train.labels),
        head=dataclasses.replace(
            plan.head,
            detector=detector,
            detectors=measured.detectors,
            transfer=way,
            source="" if source is None else source.digest,
        ),
    )
