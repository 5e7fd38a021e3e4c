"""A student is trained with its teacher and alone, compared, and kept."""

import dataclasses
import json

import pytest

import pipelines
from pipelines.config.saved import read_config
from pipelines.distillation.distil import PAGE, RECORD, distil
from pipelines.errors import ConfigError, DataError


def test_both_students_are_whole_runs(distilled):
    for name in ("alone", "distilled"):
        report = json.loads((distilled.workdir / name / "report.json").read_text())
        assert report["parity"]["largest_difference"] < 1e-3
        assert ("distillation" in report) == (name == "distilled")
    assert distilled.artifact_dir.parent.parent.name == distilled.kept
    assert pipelines.load(distilled.artifact_dir).modality == "image"


def test_record_has_teacher_and_pool(distilled, finished_run):
    folder = distilled.workdir / "distilled"
    record = json.loads((folder / "report.json").read_text())["distillation"]
    assert record["teacher"] == str(finished_run)
    assert (record["backbone"], record["unlabelled"]) == ("tiny_image", 40)
    assert record["examples"] == 80
    assert 0.5 < record["training_accuracy"] <= 1
    page = (folder / "report.html").read_text()
    assert "learned the calibrated answers of" in page


def test_folder_has_choice_and_paired_comparison(distilled):
    values = json.loads((distilled.workdir / RECORD).read_text())
    assert values == json.loads(json.dumps(distilled.values()))
    names = [run["run"].rsplit("/", 1)[-1] for run in values["comparison"]["runs"]]
    assert names == ["alone", "run", "distilled"]
    for other in values["comparison"]["against"]:
        away = other["differences"]["accuracy"]
        assert away["low"] <= away["difference"] <= away["high"]
    assert "compared" in (distilled.workdir / PAGE).read_text()


def test_students_differ_in_the_teacher_alone(distilled):
    alone, taught = (
        read_config(distilled.workdir / name / "config.json")
        for name in ("alone", "distilled")
    )
    assert alone.distil.teacher == ""
    same = dataclasses.replace(alone, distil=taught.distil, workdir=taught.workdir)
    assert same == taught


def test_same_call_takes_finished_runs(distilled, fields):
    reports = sorted(distilled.workdir.glob("*/report.json"))
    before = [path.stat().st_mtime_ns for path in reports]
    again = pipelines.distil(**fields)
    assert [path.stat().st_mtime_ns for path in reports] == before
    assert again.values() == distilled.values()


def test_other_student_in_the_folder_is_refused(distilled, fields):
    with pytest.raises(ConfigError, match="holds a finished run"):
        pipelines.distil(**fields, temperature=3.0)


def test_folder_without_a_run_is_refused(fields, tmp_path):
    with pytest.raises(ConfigError, match="not the folder of a finished run"):
        pipelines.distil(**{**fields, "run": tmp_path})


def test_other_classes_than_the_teacher_are_refused(fields, tmp_path):
    other = {**fields, "workdir": tmp_path / "s", "data": fields["unlabelled"]}
    with pytest.raises(DataError, match="answers the classes"):
        pipelines.distil(**other)


def test_overwrite_is_refused(distilled, finished_run):
    config = read_config(distilled.workdir / "alone" / "config.json")
    with pytest.raises(ConfigError, match="overwrite"):
        distil(finished_run, dataclasses.replace(config, overwrite=True))
