"""The commands after a run name files that are there, quoted for a shell."""

import json
import shlex
from pathlib import Path

import pytest

from pipelines.runs.next_commands import next_commands
from tests.support.finished_runs import finished


def _commands(folder, reference, example):
    run = finished(folder, [(example, "a", "a", 0.9)])
    report = json.loads((run / "report.json").read_text())
    report["data"]["reference"] = reference
    report["artifact"] = str(run / "artifact" / "1")
    return [shlex.split(line) for line in next_commands(run, report)]


@pytest.mark.parametrize("name", ["a/it's 1.jpg", "a/-x;.jpg"])
def test_predict_names_a_file_of_the_test_split(tmp_path, name):
    file = tmp_path / "my photos" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    run = tmp_path / "my run"
    predict, report, serve = _commands(run, f"dir:{tmp_path / 'my photos'}", name)
    assert predict == ["zoo", "predict", str(run / "artifact"), str(file)]
    assert report == ["zoo", "report", str(run)]
    assert serve == ["zoo", "serve", str(run / "artifact")]
    table, *_ = _commands(tmp_path / "table", f"csv:{file.parent / 'photos.csv'}", "x")
    assert table[1] == "evaluate"
    of_table = f"csv:{tmp_path / 'my photos' / 'photos.csv'}"
    named, *_ = _commands(tmp_path / "named", of_table, name)
    assert named[-1] == str(file)


def test_data_without_files_are_evaluated(tmp_path):
    reference = "builtin:digits?limit=120"
    first, *_ = _commands(tmp_path / "digits", reference, "image 3")
    base = str(tmp_path / "digits" / "artifact")
    assert first == ["zoo", "evaluate", base, f"--data={reference}"]
    gone, *_ = _commands(tmp_path / "gone", f"dir:{tmp_path / 'moved'}", "a/1.jpg")
    assert gone[1] == "evaluate"


def test_paths_are_no_flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-photos").mkdir()
    Path("-photos/1.jpg").write_bytes(b"")
    predict, report, serve = _commands(Path("-run"), "dir:-photos", "1.jpg")
    assert predict[2] == serve[2] == "./-run/artifact"
    assert report[2] == "./-run"
    assert predict[3].endswith("-photos/1.jpg")
    assert not predict[3].startswith("-")


def test_broken_predictions_cost_only_the_file(tmp_path):
    run = finished(tmp_path / "run", [("1.jpg", "a", "a", 0.9)])
    (run / "predictions.jsonl").write_text("broken")
    report = {"data": {"reference": f"dir:{tmp_path}"}, "artifact": f"{run}/artifact/1"}
    assert next_commands(run, report)[0].startswith("zoo evaluate")
