"""A plan with folds has one phase, and says what it does."""

import dataclasses

from pipelines.config import RunConfig
from pipelines.planning.folds import PHASE, folded
from pipelines.planning.policy import decide
from tests.support.training_facts import measured_facts


def test_folded_plan_has_one_phase_without_epochs():
    plan = decide(measured_facts(), RunConfig(strategy="head_only"))
    changed = folded(plan, count=5)
    (phase,) = changed.phases
    assert (phase.name, phase.epochs, phase.only_if_better) == (PHASE, 0, False)
    assert phase.trains_head_only
    assert "average of 5" in changed.reason
    assert "best of 5" in folded(plan, count=5, takes_best=True).reason
    same = dataclasses.replace(changed, phases=plan.phases, reason=plan.reason)
    assert same == plan


def test_folded_plan_without_folds_stays():
    plan = decide(measured_facts(), RunConfig(strategy="head_only"))
    assert folded(plan, count=0) is plan
