"""Before a run begins: the plan that adapts its head to a target."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.runs.prepare import Prepared
from pipelines.runtime.clock import Clock
from pipelines.stages.adaptation.decide import decide_adaptation
from pipelines.training.distributed.workers import Workers


def adapted(
    prepared: Prepared, config: RunConfig, clock: Clock, workers: Workers
) -> Prepared:
    """The same with the plan that adapts to a target, if there is one.

    Raises:
        ConfigError: if there are several workers, or a method does not fit.
    """
    if prepared.target is None:
        return prepared
    if not workers.is_alone:
        raise ConfigError(
            "config.adapt.target is set, and several workers train. A head is adapted"
            " by one worker, in seconds: run it without TF_CONFIG."
        )
    with clock.stage("adapt", config.adapt.method):
        decided = decide_adaptation(
            prepared.target, prepared.plan, config, prepared.base
        )
    return dataclasses.replace(prepared, plan=decided.plan, adaptation=decided)
