"""The plan of a run with folds: heads in closed form, and nothing that trains."""

from __future__ import annotations

import dataclasses

from pipelines.planning.plan import TransferPlan

PHASE = "folds"


def folded(plan: TransferPlan, *, count: int, takes_best: bool = False) -> TransferPlan:
    """The plan with one phase, which solves a head for each fold and averages them.

    Or takes the best one. A plan without folds, `count` 0, stays as it is.
    """
    if not count:
        return plan
    (phase,) = plan.phases  # a head alone
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
