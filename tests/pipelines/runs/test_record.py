"""The records of a run are plain values: JSON has words for all of them."""

import json

import numpy as np
import pytest

from pipelines.calibration.reliability import PredictionScores
from pipelines.config import RunConfig
from pipelines.data.splits import DataInfo
from pipelines.planning.plan import to_dict
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.problems.class_reports import summarize
from pipelines.runs import record
from pipelines.stages.evaluate import Evaluation


@pytest.fixture
def plan():
    facts = TrainingFacts(examples=400, classes=2, block_names=("a", "b"))
    return decide(facts, RunConfig(strategy="full"))


def test_a_plan_without_evidence_says_so(plan):
    values = record.planned(plan, None)
    assert values.pop("evidence") is None
    assert values == to_dict(plan)


def test_the_manifest_has_data_plan_and_metrics(plan):
    info = DataInfo(
        ("cat", "dog"),
        {"a": {"cat": 1, "dog": 1}},
        reference="dir:x",
        fingerprint="f0",
    )
    validation, test = (
        summarize(
            split,
            labels=np.array([0, 1]),
            log_probabilities=np.log([[0.9, 0.1], [0.8, 0.2]]),
            class_names=info.class_names,
        )
        for split in ("validation", "test")
    )
    nothing = PredictionScores(*[np.zeros(0)] * 4)
    evaluation = Evaluation(validation, test, {}, nothing, nothing)
    facts = record.artifact_facts(info, plan, evaluation)
    values = json.loads(json.dumps(facts))
    assert values["data"]["reference"] == "dir:x"
    assert values["plan"]["action"] == plan.action
    assert list(values["metrics"]) == ["validation", "test"]
    assert values["metrics"]["test"]["accuracy"] == 0.5
    assert values["metrics"]["test"]["examples"] == 2


def test_report_has_only_finite_numbers(finished_run):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    text = (finished_run / "report.json").read_text()
    values = json.loads(text, parse_constant=refuse)
    assert {"test", "validation", "plan", "compute", "phases", "parity"} <= set(values)
    (phase,) = values["phases"]
    assert not {"receipt", "epochs"} & set(phase)
    assert [row["block"] for row in values["receipt"][phase["name"]]][-1] == "head"
