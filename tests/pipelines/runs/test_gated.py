"""A run behind a gate: refused it leaves all but an artifact, and ends with code 5."""

import json

import pytest

from pipelines import cli


@pytest.mark.slow
def test_refused_run_keeps_its_report(finished_run, tiny_flags, tmp_path, capsys):
    flags = [
        *tiny_flags,
        "--config.export.minimum=test.accuracy>=0,test.loss<0",
        f"--config.export.not_worse_than={finished_run}",
    ]
    assert cli.main(["train", *flags]) == 5
    error = capsys.readouterr().err
    assert "The model is not published: it does not pass the gate." in error
    assert "test.loss<0 was asked" in error
    assert "test.accuracy" not in error
    folder = tmp_path / "run"
    assert not (folder / "artifact").exists()
    report = json.loads((folder / "report.json").read_text())
    assert report["artifact"] is None
    assert report["parity"] is None
    gate = report["gate"]
    assert [row["passed"] for row in gate["minimum"]] == [True, False]
    # The same data and seed: both were tested on the same 20 examples.
    assert gate["not_worse_than"]["examples"] == 20
    assert (folder / "predictions.jsonl").is_file()
    assert "did not pass the quality gate" in (folder / "model_card.md").read_text()
    page = (folder / "report.html").read_text()
    assert "Nothing was published" in page
    assert "test.loss&lt;0" in page
    assert cli.main(["report", str(folder)]) == 0
    assert cli.main(["train", *flags]) == 2
    assert "holds a finished run" in capsys.readouterr().err


def test_impossible_gate_is_refused_before_training(tiny_flags, tmp_path, capsys):
    flags = [*tiny_flags, "--config.export.minimum=test.r2>0"]
    assert cli.main(["train", *flags]) == 2
    assert (
        "report of this run are test.examples, test.accuracy" in capsys.readouterr().err
    )
    assert not (tmp_path / "run" / "plan.json").exists()
    missing = f"--config.export.not_worse_than={tmp_path / 'none'}"
    assert cli.main(["train", *tiny_flags, missing]) == 2
    assert "leave it out for the first model" in capsys.readouterr().err
