"""The quickstart reaches what the README says, on real weights and real images."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.weights
def test_the_quickstart_reaches_its_accuracy_within_its_memory(tmp_path):
    command = [sys.executable, "-m", "pipelines.main", "--config=configs/quickstart.py"]
    subprocess.run([*command, f"--config.workdir={tmp_path}"], check=True)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["test"]["accuracy"] >= 0.98
    assert report["test"]["examples"] >= 700
    assert report["peak_memory_bytes"] < 3e9
    # 4 minutes on a quiet machine; this bound only catches what is badly wrong.
    assert report["seconds"]["total"] < 600
    assert set(report["seconds"]) == {
        "obtain",
        "data",
        "measure",
        "head",
        "finetune",
        "calibrate",
        "evaluate",
        "export",
        "gallery",
        "total",
    }
