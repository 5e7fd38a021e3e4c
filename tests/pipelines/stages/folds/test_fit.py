"""Heads are solved, or networks train, as the config of folds asks."""

import pytest

from pipelines.data.folds import folds_of, pooled, without_fold
from pipelines.planning.folds import PHASE, folded
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.folds.fit import fit_folds
from pipelines.stages.folds.measure import measure_pooled
from pipelines.stages.head import add_head
from pipelines.stages.obtain import obtain
from pipelines.stages.plan import choose_plan
from pipelines.training.phases.workspace import Workspace
from tests.support.tiny_stages import tiny_config


@pytest.mark.parametrize("hidden_units", [(), (4,)])
def test_fit_folds_trains_heads_with_hidden_layers(splits, tmp_path, hidden_units):
    both = pooled(splits)
    config = tiny_config(strategy="head_only", folds=2, fold_head="best")
    config.head.epochs, config.head.hidden_units = 1, hidden_units
    if hidden_units:
        config.head.init = "epsilon"
    base = freeze_base(obtain(config, both.train.inputs))
    measured = measure_pooled(base, both, config, Clock())
    labels = both.train.labels
    folds = folds_of(labels, None, problem="single_label", count=2, seed=0)
    plan = choose_plan(base, without_fold(both, folds == 0), measured, config)
    plan = folded(plan, config)
    model = add_head(
        base,
        classes=problem_of(both).units,
        plan=plan.head,
        probe=measured.probe(plan.head),
    )
    workspace = Workspace(tmp_path / "history.jsonl", tmp_path / "tensorboard")
    fitted = fit_folds(
        model, both, measured, plan, workspace, config=config, clock=Clock()
    )
    (phase,) = fitted.history.phases
    trains = bool(hidden_units)
    assert (phase.name != PHASE) == (fitted.model is not model) == trains
    assert (len(fitted.splits.train) < len(labels)) == trains
    assert fitted.scores.chosen is not None
