"""A plan with folds has one phase, and says what it does."""

import dataclasses

from pipelines.config import RunConfig
from pipelines.planning.folds import PHASE, folded, solves_folds
from pipelines.planning.policy import decide
from tests.support.training_facts import measured_facts


def test_folded_plan_has_one_phase_without_epochs():
    config = RunConfig(strategy="head_only", folds=5)
    plan = decide(measured_facts(), config)
    changed = folded(plan, config)
    (phase,) = changed.phases
    assert (phase.name, phase.epochs, phase.only_if_better) == (PHASE, 0, False)
    assert phase.trains_head_only
    assert "average of 5" in changed.reason
    best = dataclasses.replace(config, fold_head="best")
    assert "best of 5" in folded(plan, best).reason
    same = dataclasses.replace(changed, phases=plan.phases, reason=plan.reason)
    assert same == plan


def test_folded_plan_without_folds_stays():
    config = RunConfig(strategy="head_only")
    plan = decide(measured_facts(), config)
    assert folded(plan, config) is plan


def test_folded_plan_of_networks_keeps_its_phases():
    config = RunConfig(strategy="partial", folds=3, fold_head="best")
    plan = decide(measured_facts(), config)
    changed = folded(plan, config)
    assert changed.phases == plan.phases
    assert "done 3 times" in changed.reason


def test_solves_folds_needs_a_linear_head():
    config = RunConfig(strategy="head_only", folds=3, fold_head="best")
    assert solves_folds(config)
    assert not solves_folds(dataclasses.replace(config, strategy="auto"))
    config.head.hidden_units = (8,)
    assert not solves_folds(config)
