import json
import re

import pytest

from pipelines.cli import main


def test_evaluate_counts_what_the_run_counted(finished_run, capsys):
    report = json.loads((finished_run / "report.json").read_text())
    base = str(finished_run / "artifact")
    data = "--data=builtin:digits?limit=120"
    assert main(["evaluate", base, data, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["split"] == "test"
    assert values["examples"] == report["test"]["examples"] > 0
    assert values["accuracy"] == report["test"]["accuracy"]
    assert values["confusion"] == report["test"]["confusion"]
    error = report["test"]["calibration_error"]
    assert values["calibration_error"] == pytest.approx(error, abs=1e-4)
    assert main(["evaluate", base, data, "--split=all"]) == 0
    printed = capsys.readouterr().out
    assert "split: all" in printed
    assert "on 120 examples" in printed
    assert re.search(r"^expected calibration error 0\.\d{4}$", printed, re.MULTILINE)
