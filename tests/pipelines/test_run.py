"""A run from its config to its folder, by what a finished one has left."""

import json

import pytest

import pipelines
from pipelines.config import from_fields
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from pipelines.report.predictions import FILE_NAME, read
from pipelines.run import run

STAGES = ["obtain", "data", "measure", "head", "finetune", "calibrate", "evaluate"]


@pytest.fixture
def report(finished_run):
    return json.loads((finished_run / "report.json").read_text())


def test_stages_follow_each_other(report):
    assert [*report["seconds"]] == [*STAGES, "export", "gallery", "total"]


def test_run_leaves_plan_data_and_artifact(finished_run, report):
    left = {path.name for path in finished_run.iterdir()}
    assert left >= {"config.json", "plan.json", "data_card.json", "history.jsonl"}
    assert left >= {"report.json", "report.html", "environment.json", "tensorboard"}
    assert [path.name for path in (finished_run / "artifact").iterdir()] == ["1"]
    kept = finished_run / "checkpoints" / report["backbone"]["file"]
    assert kept.is_file()


def test_predictions_agree_with_the_report(finished_run, report):
    rows = list(read(finished_run / FILE_NAME))
    for split in ("validation", "test"):
        right = [row.is_right for row in rows if row.split == split]
        assert len(right) == report[split]["examples"] > 0
        assert sum(right) / len(right) == pytest.approx(report[split]["accuracy"])
        accepted = [row.accepted for row in rows if row.split == split]
        share = report["calibration"][split]["accepted"]
        assert sum(accepted) / len(accepted) == pytest.approx(share)
    assert {row.label for row in rows} <= set(report["class_names"])


def test_predictions_are_the_answers_of_the_artifact(finished_run):
    splits = load(DatasetRef.parse("builtin:digits?limit=120"))
    rows = [row for row in read(finished_run / FILE_NAME) if row.split == "test"]
    answers = pipelines.load(finished_run / "artifact").predict(
        list(splits.test.inputs.pixels)
    )
    assert [row.example for row in rows] == list(splits.test.names)
    for row, answer in zip(rows, answers, strict=True):
        assert (row.predicted, row.accepted) == (answer.label, answer.accepted)
        assert row.confidence == pytest.approx(answer.confidence, rel=1e-4)
        assert row.ood_score == pytest.approx(answer.ood_score, rel=1e-3, abs=1e-3)
        of_answer = {name: answer.probabilities[name] for name in row.probabilities}
        assert row.probabilities == pytest.approx(of_answer, rel=1e-4, abs=1e-6)


def test_it_is_not_run_again_in_its_folder(finished_run):
    fields = json.loads((finished_run / "config.json").read_text())
    before = (finished_run / "report.json").read_bytes()
    chosen = {name: fields[name] for name in ("data", "backbone", "weights")}
    with pytest.raises(ConfigError, match="holds a finished run"):
        run(from_fields({**chosen, "workdir": str(finished_run)}))
    assert (finished_run / "report.json").read_bytes() == before
