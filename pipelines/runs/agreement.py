"""The checks that several workers make before they train together."""

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
from pipelines.training.distributed.workers import require_same_everywhere


def gather_workers(config: RunConfig) -> Distribution:
    """Waits until all workers are there, with the same program and the same config.

    Raises:
        ConfigError: naming what differs, or what cannot be done.
    """
    distribution = distribution_of(config)
    if not distribution.workers.is_alone:
        program = resume.about_program(config) | {"code": environment.code_sha256()}
        require_same_everywhere(distribution.workers, program)
    return distribution


def agree(prepared: Prepared, distribution: Distribution) -> Prepared:
    """The same preparations with the chief's plan; all workers have the same data.

    Raises:
        ConfigError: naming what differs, or what the plan has that cannot be done.
    """
    workers = distribution.workers
    require_same_everywhere(workers, resume.about_data(prepared.splits))
    plan = prepared.plan
    if not workers.is_alone:
        plan = from_dict(workers.broadcast(to_dict(plan)))
    train = prepared.splits.train
    refuse_undoable(distribution, plan, prepared.base.blocks, train.inputs)
    return dataclasses.replace(prepared, plan=plan)
