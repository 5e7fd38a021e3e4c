"""A run from its config to its folder, by what a finished one has left."""

import json

import pytest

from pipelines.config import from_fields
from pipelines.errors import ConfigError
from pipelines.run import run

STAGES = ["obtain", "data", "measure", "head", "finetune", "calibrate", "evaluate"]


@pytest.fixture
def report(finished_run):
    return json.loads((finished_run / "report.json").read_text())


def test_stages_follow_each_other(report):
    assert [*report["seconds"]] == [*STAGES, "export", "total"]


def test_run_leaves_plan_data_and_artifact(finished_run, report):
    left = {path.name for path in finished_run.iterdir()}
    assert left >= {"config.json", "plan.json", "data_card.json", "history.jsonl"}
    assert left >= {"report.json", "report.html", "environment.json", "tensorboard"}
    assert [path.name for path in (finished_run / "artifact").iterdir()] == ["1"]
    kept = finished_run / "checkpoints" / report["backbone"]["file"]
    assert kept.is_file()


def test_it_is_not_run_again_in_its_folder(finished_run):
    fields = json.loads((finished_run / "config.json").read_text())
    before = (finished_run / "report.json").read_bytes()
    chosen = {name: fields[name] for name in ("data", "backbone", "weights")}
    with pytest.raises(ConfigError, match="holds a finished run"):
        run(from_fields({**chosen, "workdir": str(finished_run)}))
    assert (finished_run / "report.json").read_bytes() == before
