"""The plan of a run with folds: heads in closed form, or networks that train."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.planning.plan import TransferPlan

PHASE = "folds"


def solves_folds(config: RunConfig) -> bool:
    """True if the heads of all folds are solved in closed form, and nothing trains."""
    head = config.head
    has_layers = head.hidden_units or head.dropout or head.conv_blocks > 0
    is_linear = head.init == "probe" and not has_layers
    return config.strategy == "head_only" and is_linear


def folded(plan: TransferPlan, config: RunConfig) -> TransferPlan:
    """The plan with one phase, which solves a head for each fold and averages them.

    Or takes the best one. Where networks train, one for each fold, phases stay as they
    are; and so does a plan without folds.
    """
    count = config.folds
    if not count:
        return plan
    if not solves_folds(config):
        return dataclasses.replace(
            plan,
            reason=(
                f"{plan.reason}\nThat is done {count} times, each time with another"
                " fold of train and validation together as validation, and the best"
                " network stays."
            ),
        )
    (phase,) = plan.phases  # a head alone
    takes_best = config.fold_head == "best"
    chosen = f"the best of {count}" if takes_best else f"the average of {count}"
    return dataclasses.replace(
        plan,
        reason=(
            f"{plan.reason}\nThe head is {chosen}: each is solved in"
            " closed form without a fold of train and validation together, and answers"
            " that fold; calibration and the report of validation are of these answers."
        ),
        phases=(
            dataclasses.replace(phase, name=PHASE, epochs=0, only_if_better=False),
        ),
    )
