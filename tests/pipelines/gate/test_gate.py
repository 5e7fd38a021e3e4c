"""The gate: its verdict in values and in a sentence, and `zoo export` behind it."""

import json
import shutil

import pytest

from pipelines import cli
from pipelines.errors import ConfigError, GateError
from pipelines.gate.gate import Gate, gate_of, judge_finished
from tests.pipelines.gate.test_not_worse import RIGHT, WORSE
from tests.support.finished_runs import finished


def test_gate_without_conditions_lets_all_pass(tmp_path):
    gate = gate_of("", "", margin=0.02)
    assert not gate
    assert not Gate()
    verdict = judge_finished(gate, finished(tmp_path / "run", RIGHT), None)
    assert verdict.passed
    verdict.require_passed("Nothing was written.")


def test_verdict_names_every_condition_that_is_missed(tmp_path):
    right, worse = (
        finished(tmp_path / name, rows)
        for name, rows in (("right", RIGHT), ("worse", WORSE))
    )
    gate = gate_of("test.examples>=601,test.examples<900", str(right), margin=0.02)
    verdict = judge_finished(gate, worse, None)
    values = json.loads(json.dumps(verdict.values()))
    assert values["passed"] is False
    assert [row["missed_by"] for row in values["minimum"]] == [1, None]
    assert values["not_worse_than"]["only_reference"] == 30
    with pytest.raises(GateError) as raised:
        verdict.require_passed("Nothing was written.")
    for part in (
        "test.examples>=601 was asked, and it is 600.0000: missed by 1.0000.",
        f"worse than {right}: on 600 shared test examples its accuracy is -0.0500",
        "30 there alone",
        "-0.0200 is allowed",
        "Nothing was written.",
    ):
        assert part in str(raised.value)
    assert judge_finished(gate_of("", str(worse), margin=0.02), right, None).passed


def test_unpublished_run_can_be_compared_with(tmp_path):
    # A report whose model the gate refused has no artifact.
    folder = finished(tmp_path / "run", RIGHT)
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**report, "artifact": None}))
    assert judge_finished(gate_of("", str(folder), margin=0.02), folder, None).passed
    with pytest.raises(ConfigError, match="holds no finished run"):
        judge_finished(Gate(), tmp_path, None)


def _export(run, to, *flags):
    return cli.main(["export", str(run), "--to", str(to), *flags])


def test_export_stops_at_the_gate(finished_run, tmp_path, capsys):
    to = tmp_path / "out"
    assert _export(finished_run, to, "--minimum", "test.accuracy>1") == 5
    assert "test.accuracy>1 was asked" in capsys.readouterr().err
    assert _export(finished_run, to, "--minimum", "test.accurcy>1") == 2
    assert "Did you mean test.accuracy?" in capsys.readouterr().err
    assert _export(finished_run, to, "--minimum", "accuracy") == 2
    assert _export(finished_run, to, "--margin", "2") == 2
    assert _export(finished_run, to, "--not-worse-than", str(tmp_path)) == 2
    assert not to.exists()
    flags = ("--minimum", "test.accuracy>=0,test.loss<99", "--minimum=test.examples>1")
    same = ("--not-worse-than", str(finished_run), "--margin", "0.4")
    assert _export(finished_run, to, *flags, *same) == 0
    assert (to / "1" / "saved_model.pb").is_file()


def test_refused_run_is_not_exported(finished_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run, ignore=shutil.ignore_patterns("artifact"))
    report = json.loads((run / "report.json").read_text())
    (run / "report.json").write_text(json.dumps({**report, "artifact": None}))
    assert _export(run, tmp_path / "out") == 4
    assert "did not pass the quality gate" in capsys.readouterr().err
    assert cli.main(["add-class", str(run), "--name=x", "--data=dir:x"]) == 2
    assert "did not pass the quality gate" in capsys.readouterr().err
