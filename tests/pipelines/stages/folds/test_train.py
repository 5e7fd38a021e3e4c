"""A network for each fold: what is kept is what a run on its splits would train."""

import keras
import numpy as np
import pytest

from pipelines.data.folds import folds_of, pooled, without_fold
from pipelines.planning.folds import folded
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import fine_tune
from pipelines.stages.folds.measure import measure_pooled
from pipelines.stages.folds.train import train_folds
from pipelines.stages.head import add_head
from pipelines.stages.obtain import obtain
from pipelines.stages.outputs import outputs
from pipelines.stages.plan import choose_plan
from pipelines.training.phases.workspace import Workspace
from tests.support.tiny_stages import tiny_config

COUNT = 2


@pytest.fixture(scope="module")
def trained(splits, tmp_path_factory):
    both = pooled(splits)
    config = tiny_config(strategy="partial", folds=COUNT, fold_head="best")
    config.finetune.guard = False
    keras.utils.set_random_seed(config.seed)
    base = freeze_base(obtain(config, both.train.inputs))
    measured = measure_pooled(base, both, config, Clock())
    folds = folds_of(
        both.train.labels,
        both.train.groups,
        problem="single_label",
        count=COUNT,
        seed=config.seed,
    )
    planned_for = without_fold(both, folds == 0)
    plan = folded(choose_plan(base, planned_for, measured, config), config)
    start = base.model.get_weights()
    folder = tmp_path_factory.mktemp("folds")
    workspace = Workspace(folder / "history.jsonl", folder / "tensorboard")
    result = train_folds(base, both, measured, plan, workspace, count=COUNT)
    weights = result.model.model.get_weights()
    return both, base, start, measured, plan, workspace, folds, result, weights


def test_the_best_network_is_validated_by_its_fold(trained):
    both, *_, folds, result, _ = trained
    scores = result.scores
    assert scores.per_fold[scores.chosen] == max(scores.per_fold)
    own = folds == scores.chosen
    np.testing.assert_array_equal(
        result.splits.validation.labels, both.train.labels[own]
    )
    assert len(result.splits.train) == (~own).sum()
    (answers,) = outputs(result.model, [result.splits.validation], batch_size=32)
    np.testing.assert_allclose(result.out_of_fold.logits, answers.logits, atol=1e-5)
    right = answers.logits.argmax(axis=1) == answers.labels
    assert right.mean() == pytest.approx(scores.per_fold[scores.chosen])
    weighted = np.average(scores.per_fold, weights=scores.examples)
    assert weighted == pytest.approx(scores.out_of_fold)


def test_the_best_network_is_trained_as_without_folds(trained):
    _, base, start, measured, plan, workspace, folds, result, weights = trained
    base.model.set_weights(start)
    own, own_splits = folds == result.scores.chosen, result.splits
    keras.utils.set_random_seed(plan.seed)
    problem = problem_of(own_splits)
    probe = measured.without(own).probe(plan.head)
    model = add_head(base, classes=problem.units, plan=plan.head, probe=probe)
    history = fine_tune(model, own_splits, plan, workspace)
    assert [p.name for p in history.phases] == [p.name for p in result.history.phases]
    assert any(phase.trainable_blocks for phase in plan.phases)
    for value, expected in zip(model.model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-4)
    result.model.model.set_weights(weights)
