"""Before a run begins: the plan whose head learns from unlabelled examples too."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.runs.prepare import Prepared
from pipelines.runtime.clock import Clock
from pipelines.stages.unlabelled.decide import decide_unlabelled
from pipelines.training.distributed.workers import Workers


def helped(
    prepared: Prepared, config: RunConfig, clock: Clock, workers: Workers
) -> Prepared:
    """The same with what was decided on unlabelled examples, if there are any.

    Raises:
        ConfigError: if there are several workers, or the head has no closed form.
        DataError: if the examples cannot be learned from.
    """
    if not config.unlabelled:
        return prepared
    if not workers.is_alone:
        raise ConfigError(
            "config.unlabelled is set, and several workers train. Such a head is solved"
            " by one worker, in seconds: run it without TF_CONFIG."
        )
    with clock.stage("unlabelled", config.unlabelled):
        decided = decide_unlabelled(
            config, prepared.splits, prepared.measured, prepared.plan
        )
    return dataclasses.replace(prepared, plan=decided.plan, unlabelled=decided)
