"""The method that adapts the head, and the plan for that."""

import dataclasses

import pytest

from pipelines.errors import ConfigError
from pipelines.planning.plan import from_dict, to_dict
from pipelines.stages.adaptation.decide import PHASE, decide_adaptation


def _decide(prepared, config, *, labelled=False):
    read = prepared.target
    if not labelled:
        read = dataclasses.replace(read, labelled=None)
    return decide_adaptation(read, prepared.plan, config, prepared.base)


def test_auto_without_labels_leaves_plan_alone(prepared, adapting):
    decided = _decide(prepared, adapting())
    assert decided.adapted is None
    assert decided.plan == prepared.plan
    assert decided.record.method == "none"
    assert decided.record.after is None


def test_labels_choose_and_are_recorded(prepared, adapting):
    decided = _decide(prepared, adapting(), labelled=True)
    record = decided.record
    assert record.labelled == 60
    assert [row.name for row in record.candidates][0] == "none"
    assert record.method != "none"
    best = max(record.candidates, key=lambda row: row.gain)
    assert best.is_clear
    assert record.method == best.name
    assert "out of fold" in decided.plan.reason.splitlines()[-1]


def test_method_that_trains_plans_a_layer(prepared, adapting):
    decided = _decide(prepared, adapting("mcc"))
    assert decided.plan.head.hidden_units == (32,)
    assert not decided.plan.head.is_linear
    (phase,) = decided.plan.phases
    assert (phase.name, phase.epochs, phase.trainable_blocks) == (PHASE, 0, ())
    assert from_dict(to_dict(decided.plan)) == decided.plan
    assert decided.record.after.distance < decided.record.before.distance


def test_closed_form_keeps_a_linear_head(prepared, adapting):
    decided = _decide(prepared, adapting("coral"))
    assert decided.plan.head == prepared.plan.head
    assert decided.record.method == "coral"


def test_batchnorm_needs_layers_of_it(prepared, adapting):
    blocks = [dataclasses.replace(block, layers=()) for block in prepared.base.blocks]
    base = dataclasses.replace(prepared.base, blocks=tuple(blocks))
    with pytest.raises(ConfigError, match="no BatchNorm layers"):
        decide_adaptation(prepared.target, prepared.plan, adapting("batchnorm"), base)
