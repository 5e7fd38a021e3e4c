"""The transfer plan is plain data: it survives JSON and covers every block."""

import dataclasses
import json
import subprocess
import sys

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.planning import plan as plans
from pipelines.planning.policy import TrainingFacts, decide

BLOCKS = ("stem", "middle", "end")


@pytest.fixture
def plan():
    facts = TrainingFacts(examples=100, classes=4, block_names=BLOCKS)
    return decide(facts, RunConfig(strategy="partial"))


def test_round_trip_through_json_keeps_every_field(plan):
    again = plans.from_dict(json.loads(json.dumps(plans.to_dict(plan))))
    assert again == plan


def test_plan_for_other_blocks_is_refused(plan):
    plan.check_covers(BLOCKS)
    with pytest.raises(ConfigError, match=r"leaves out the blocks \['neck'\]"):
        plan.check_covers(("stem", "middle", "neck", "end"))
    with pytest.raises(ConfigError, match=r"unknown blocks \['middle'\]"):
        plan.check_covers(("stem", "end"))


def test_plan_with_reordered_blocks_is_refused(plan):
    with pytest.raises(ConfigError, match="in order"):
        plan.check_covers(tuple(reversed(BLOCKS)))


def test_an_edited_plan_is_another_value(plan):
    edited = dataclasses.replace(plan, batch_size=plan.batch_size + 1)
    assert edited != plan


def test_planning_imports_no_tensorflow():
    program = (
        "import sys; import pipelines.planning.policy, pipelines.serving.artifact;"
        "loaded = {'tensorflow', 'keras'} & set(sys.modules); sys.exit(bool(loaded))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
