"""Answers out of fold are those of a probe that did not see the example."""

import numpy as np
import pytest

from pipelines.data.folds import folds_of
from pipelines.problems.registry import make
from pipelines.stages.folds.out_of_fold import out_of_fold

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(90, 6)).astype(np.float32)
KINDS = {
    "single_label": (("a", "b", "c"), np.argmax(FEATURES[:, :3], axis=1)),
    "multi_label": (("a", "b"), (FEATURES[:, :2] > 0).astype(np.float32)),
    "regression": (("x",), FEATURES[:, :1] * 3 + 1),
    "ordinal": (("low", "mid", "high"), np.digitize(FEATURES[:, 0], [-0.5, 0.5])),
}


def _answers(name, labels=None, folds=None):
    names, own = KINDS[name]
    labels = own if labels is None else labels
    problem = make(name, names, own)
    if folds is None:
        folds = folds_of(own, None, problem=name, count=5, seed=0)
    scored = problem.score([FEATURES], own, groups=None, reads=("x",), grid=1)
    outputs = out_of_fold(
        problem, [FEATURES], labels, folds, scored, units=problem.units
    )
    return problem, outputs


@pytest.mark.parametrize("name", KINDS)
def test_answers_are_better_than_a_constant(name):
    problem, outputs = _answers(name)
    labels = KINDS[name][1]
    assert outputs.dtype == np.float32
    quality = problem.judge(outputs, labels).quality
    assert quality.mean() > problem.least_quality(labels) + 0.1


def test_an_answer_ignores_the_label_of_its_example():
    _, labels = KINDS["single_label"]
    folds = np.arange(90) % 5
    changed = np.where(folds == 2, (labels + 1) % 3, labels)
    _, before = _answers("single_label", folds=folds)
    _, after = _answers("single_label", labels=changed, folds=folds)
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])
    assert (before[folds != 2] != after[folds != 2]).any()


def test_a_class_of_one_fold_has_a_logit():
    _, labels = KINDS["single_label"]
    labels = np.minimum(labels, 1)
    labels[:3] = 2
    folds = np.where(np.arange(90) < 3, 0, np.arange(90) % 4 + 1)
    _, outputs = _answers("single_label", labels=labels, folds=folds)
    assert outputs.shape == (90, 3)
    assert (outputs[:3, 2] == 0).all()  # nothing was learned of it without them


def test_answers_ignore_examples_of_weight_zero():
    (names, labels), folds = KINDS["single_label"], np.arange(90) % 5
    weights = np.where(np.arange(90) % 4, 2.0, 0.0)
    problem = make("single_label", names, labels)
    scored = problem.score([FEATURES], labels, groups=None, reads=("x",), grid=1)
    changed = np.where(weights > 0, labels, 0)
    answers = [
        out_of_fold(problem, [FEATURES], some, folds, scored, units=3, weights=weights)
        for some in (labels, changed)
    ]
    np.testing.assert_array_equal(*answers)
