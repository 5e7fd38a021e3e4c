"""The plan has the decisions of the config, and none that is still open."""

import dataclasses

import numpy as np

from pipelines.planning.plan import from_dict, to_dict
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.measure import measure
from pipelines.stages.obtain import obtain
from pipelines.stages.plan import choose_plan
from tests.support.tiny_stages import tiny_config


def test_imbalance_is_resolved_and_the_plan_survives_json(splits):
    config = tiny_config(strategy="scratch", imbalance="auto", seed=5)
    config.augment.strength = "light"
    base = freeze_base(obtain(config, splits.train.inputs))
    measured = measure(base, splits, config, Clock())
    plan = choose_plan(base, splits, measured, config)
    assert (plan.seed, plan.imbalance, plan.balances_classes) == (5, "none", False)
    assert plan.augment == config.augment
    assert from_dict(to_dict(plan)) == plan
    # One example of class 0 and all others: ten times as many of another class.
    labels = splits.train.labels
    rows = np.sort([*np.flatnonzero(labels)[:], np.flatnonzero(labels == 0)[0]])
    uneven = dataclasses.replace(splits, train=splits.train.take(rows))
    plan = choose_plan(base, uneven, measured, config)
    assert (plan.imbalance, plan.balances_classes) == ("prior_correction", True)


def test_plans_of_an_older_version_have_defaults(splits):
    config = tiny_config(strategy="scratch")
    base = freeze_base(obtain(config, splits.train.inputs))
    measured = measure(base, splits, config, Clock())
    values = to_dict(choose_plan(base, splits, measured, config))
    for name in ("seed", "imbalance", "augment", "precision", "xla"):
        del values[name]
    plan = from_dict(values)
    assert (plan.seed, plan.imbalance, plan.precision) == (0, "none", "float32")
