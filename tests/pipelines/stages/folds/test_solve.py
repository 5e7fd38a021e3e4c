"""Heads of folds: what they answer, their spread, and their average in the model."""

import keras
import numpy as np
import pytest

from pipelines.data.folds import folds_of, pooled
from pipelines.features.block_vectors import parts_of
from pipelines.planning.folds import folded
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.folds.measure import measure_pooled
from pipelines.stages.folds.solve import solve_folds
from pipelines.stages.head import add_head
from pipelines.stages.obtain import obtain
from pipelines.stages.outputs import logits_of_head
from pipelines.stages.plan import choose_plan
from tests.support.tiny_stages import tiny_config

COUNT = 4


@pytest.fixture(scope="module")
def solved(splits):
    both = pooled(splits)
    config = tiny_config(strategy="head_only", folds=COUNT)
    base = freeze_base(obtain(config, both.train.inputs))
    measured = measure_pooled(base, both, config, Clock())
    plan = folded(choose_plan(base, both, measured, config), config)
    problem = problem_of(both)
    probe = measured.probe(plan.head)
    model = add_head(base, classes=problem.units, plan=plan.head, probe=probe)
    trained = solve_folds(model, both, measured, plan, count=COUNT)
    return both, measured, plan, model, trained


def test_every_example_is_answered_out_of_fold(solved):
    both, measured, plan, _, trained = solved
    outputs = trained.out_of_fold
    assert outputs.split == "validation"
    assert outputs.logits.shape == (len(both.train), 10)
    np.testing.assert_array_equal(outputs.labels, both.train.labels)
    own = folds_of(
        both.train.labels,
        both.train.groups,
        problem="single_label",
        count=COUNT,
        seed=plan.seed,
    )
    probe = measured.without(own == 2).probe(plan.head)
    parts = [part[own == 2] for part in parts_of(measured.validation, plan.head)]
    logits = probe.standardization(parts) @ probe.kernel + probe.bias
    np.testing.assert_array_equal(outputs.logits[own == 2], logits)


def test_scores_have_the_spread_of_folds(solved):
    both, _, _, _, trained = solved
    scores = trained.scores
    right = trained.out_of_fold.logits.argmax(axis=1) == both.train.labels
    assert (scores.count, scores.metric) == (COUNT, "accuracy")
    assert scores.out_of_fold == pytest.approx(right.mean())
    assert sum(scores.examples) == len(both.train)
    assert scores.mean == pytest.approx(np.mean(scores.per_fold))
    assert scores.standard_deviation == pytest.approx(np.std(scores.per_fold, ddof=1))
    weighted = np.average(scores.per_fold, weights=scores.examples)
    assert weighted == pytest.approx(scores.out_of_fold)


def test_the_model_has_the_average_and_frozen_blocks(solved):
    both, measured, plan, model, trained = solved
    parts = parts_of(measured.validation, plan.head)
    own = folds_of(
        both.train.labels,
        both.train.groups,
        problem="single_label",
        count=COUNT,
        seed=plan.seed,
    )
    heads = [measured.without(own == fold).probe(plan.head) for fold in range(COUNT)]
    expected = np.mean(
        [head.standardization(parts) @ head.kernel + head.bias for head in heads],
        axis=0,
    )
    head = keras.Model(model.head_input, model.model.output)
    features = np.concatenate(parts, axis=1).astype(np.float32)
    np.testing.assert_allclose(logits_of_head(head, features), expected, atol=1e-3)
    (phase,) = trained.history.phases
    assert phase.accuracy_after == trained.scores.out_of_fold
    assert {change.largest_change for change in phase.receipt[:-1]} == {0.0}
    assert phase.receipt[-1].trainable


def test_best_head_is_that_of_best_fold(solved):
    both, measured, plan, model, averaged = solved
    before = model.logits_layer.get_weights()
    trained = solve_folds(model, both, measured, plan, count=COUNT, takes_best=True)
    scores = trained.scores
    assert scores.per_fold == averaged.scores.per_fold
    assert scores.per_fold[scores.chosen] == max(scores.per_fold)
    own = folds_of(
        both.train.labels,
        both.train.groups,
        problem="single_label",
        count=COUNT,
        seed=plan.seed,
    )
    probe = measured.without(own == scores.chosen).probe(plan.head)
    parts = parts_of(measured.validation, plan.head)
    expected = probe.logits(parts)
    head = keras.Model(model.head_input, model.model.output)
    features = np.concatenate(parts, axis=1).astype(np.float32)
    np.testing.assert_allclose(logits_of_head(head, features), expected, atol=1e-3)
    model.logits_layer.set_weights(before)
