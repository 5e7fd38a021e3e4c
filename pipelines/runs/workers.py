"""What several workers make sure of before they train together."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.planning.plan import from_dict, to_dict
from pipelines.runs import resume
from pipelines.runs.prepare import Prepared
from pipelines.runtime import environment
from pipelines.training.distributed.distribution import (
    Distribution,
    distribution_of,
    refuse_undoable,
)
from pipelines.training.distributed.workers import refuse_strangers


def gathered(config: RunConfig) -> Distribution:
    """Where the run trains, with all workers there, of one program and one config.

    Raises:
        ConfigError: naming what differs, or what cannot be done.
    """
    distribution = distribution_of(config)
    if not distribution.team.is_alone:
        code = {"code": environment.code_sha256()}
        refuse_strangers(distribution.team, resume.about_program(config) | code)
    return distribution


def agreed(prepared: Prepared, distribution: Distribution) -> Prepared:
    """The same preparations with the chief's plan, if all workers have the same data.

    Raises:
        ConfigError: naming what differs, or what the plan has that cannot be done.
    """
    team = distribution.team
    refuse_strangers(team, resume.about_data(prepared.splits))
    plan = prepared.plan
    if not team.is_alone:
        plan = from_dict(team.chiefs(to_dict(plan)))
    train = prepared.splits.train
    refuse_undoable(distribution, plan, prepared.base.blocks, train.inputs)
    return dataclasses.replace(prepared, plan=plan)
