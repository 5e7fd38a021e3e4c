import dataclasses
import json

import pytest

from pipelines.classes.finished import open_finished
from pipelines.errors import ConfigError


def test_open_finished_gives_plan_and_report(trained):
    run = open_finished(trained)
    assert run.plan.head.is_linear
    assert run.views == 3
    assert run.features_path.is_file()
    assert run.backbone_sha256 == run.report["backbone"]["sha256"]
    assert run.modality == run.report["backbone"]["modality"] == "image"


@pytest.mark.parametrize(
    ("values", "modality"),
    [
        ({"input_size_px": 96, "channels": None}, "image"),
        ({"input_size_px": None, "channels": None, "rate_hz": 16000}, "sound"),
        ({"input_size_px": None, "channels": 2}, "series"),
        ({"input_size_px": None, "channels": None}, "text"),
    ],
)
def test_modality_of_older_runs_follows_other_values(trained, values, modality):
    run = open_finished(trained)
    older = dataclasses.replace(run, report={"backbone": values})
    assert older.modality == modality


def test_open_finished_refuses_unfinished_run(run_folder):
    (run_folder / "report.json").unlink()
    with pytest.raises(ConfigError, match="not the folder of a finished run"):
        open_finished(run_folder)


def test_open_finished_names_broken_plan(run_folder):
    (run_folder / "plan.json").write_text("{")
    with pytest.raises(ConfigError, match=r"plan\.json cannot be read"):
        open_finished(run_folder)


@pytest.mark.parametrize(
    ("field", "value"), [("hidden_units", [8]), ("conv_blocks", 1)]
)
def test_open_finished_refuses_head_with_layers(run_folder, field, value):
    path = run_folder / "plan.json"
    values = json.loads(path.read_text())
    values["head"][field] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=rf"only a linear head.*head\.{field}"):
        open_finished(run_folder)


def test_open_finished_refuses_other_kinds_of_targets(run_folder):
    path = run_folder / "report.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "problem": "regression"}))
    with pytest.raises(ConfigError, match="kind regression, and classes are changed"):
        open_finished(run_folder)
