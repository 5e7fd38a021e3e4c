"""Views are compared out of fold, and taken where asked for or clearly better."""

import numpy as np
import pytest

from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure
from pipelines.stages.obtain import obtain
from pipelines.stages.plan import choose_plan
from pipelines.stages.views.choose import with_chosen_views
from tests.support.tiny_stages import tiny_config


@pytest.fixture(scope="module")
def stages(splits):
    """A base, a plan and a head on digits, as a run has them before its views."""
    config = tiny_config(strategy="head_only")
    base = freeze_base(obtain(config, splits.train.inputs))
    measured = measure(base, splits, config, Clock())
    plan = choose_plan(base, splits, measured, config)
    problem = problem_of(splits)
    probe = measured.probe(plan.head)
    model = add_head(base, classes=problem.units, plan=plan.head, probe=probe)
    return model, splits.train, measured, plan, problem


def test_without_views_the_model_stays(stages):
    model, choice = with_chosen_views(*stages, asked="none")
    assert model is stages[0]
    assert choice is None


def test_mirrored_digits_are_no_gain(stages):
    model, choice = with_chosen_views(*stages, asked="auto")
    assert choice.views == "none"
    assert model is stages[0]
    assert choice.gain < 0.0
    assert choice.examples == len(stages[1])
    assert choice.reason.startswith("No clear gain")


def test_flip_is_in_the_graph(stages):
    model, choice = with_chosen_views(*stages, asked="flip")
    assert choice.views == "flip"
    images = stages[1].inputs.pixels[:4].repeat(2, axis=1).repeat(2, axis=2)
    images = images.astype(np.float32)
    np.testing.assert_allclose(
        model.model(images), model.model(images[:, :, ::-1]), atol=1e-4
    )
    _, without = with_chosen_views(*stages, asked="auto")
    assert choice.multiply_adds > 1.9 * without.multiply_adds
