"""Before a run begins: the plan whose head learns from data beside its own."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.runs.prepare import Prepared
from pipelines.runtime.clock import Clock
from pipelines.stages.adaptation.decide import decide_adaptation
from pipelines.stages.unlabelled.decide import decide_unlabelled
from pipelines.training.distributed.workers import Workers


def with_other_data(
    prepared: Prepared, config: RunConfig, clock: Clock, workers: Workers
) -> Prepared:
    """The same with what was decided on a target, or on examples without labels.

    Raises:
        ConfigError: if there are several workers, or a method does not fit.
        DataError: if examples without labels cannot be learned from.
    """
    if prepared.target is not None:
        _require_alone(workers, "config.adapt.target")
        with clock.stage("adapt", config.adapt.method):
            adapted = decide_adaptation(
                prepared.target, prepared.plan, config, prepared.base
            )
        return dataclasses.replace(prepared, plan=adapted.plan, adaptation=adapted)
    if config.unlabelled:
        _require_alone(workers, "config.unlabelled")
        with clock.stage("unlabelled", config.unlabelled):
            helped = decide_unlabelled(
                config, prepared.splits, prepared.measured, prepared.plan
            )
        return dataclasses.replace(prepared, plan=helped.plan, unlabelled=helped)
    return prepared


def _require_alone(workers: Workers, field: str) -> None:
    if not workers.is_alone:
        raise ConfigError(
            f"{field} is set, and several workers train. Such a head is solved by one"
            " worker, in seconds: run it without TF_CONFIG."
        )
