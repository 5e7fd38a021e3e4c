"""Between measure and head: decide what trains, and how."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.planning.detectors import (
    AUTO,
    UNCOMPARED,
    cheapest_of_best,
    in_words,
    reads_series,
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
    if detector == AUTO:
        if measured.detectors:
            detector, why = cheapest_of_best(measured.detectors), measured.detectors
            reason += f" {in_words(why)}"
        else:
            detector = UNCOMPARED[base.spec.modality]
            reason += " Too few normal examples, or texts, compare no detectors."
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
            plan.head, detector=detector, detectors=measured.detectors
        ),
    )
