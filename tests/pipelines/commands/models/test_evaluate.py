import json
import re

import numpy as np
import pytest

from pipelines.cli import main
from pipelines.report.predictions import read
from tests.support import small_artifacts


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


def test_predictions_are_those_that_the_run_kept(finished_run, tmp_path, capsys):
    to = tmp_path / "new" / "answers.jsonl"
    base, data = str(finished_run / "artifact"), "--data=builtin:digits?limit=120"
    assert main(["evaluate", base, data, f"--to={to}", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["predictions"] == str(to)
    every = read(finished_run / "predictions.jsonl")
    kept = [row for row in every if row.split == "test"]
    again = list(read(to))
    assert len(again) == values["examples"] == len(kept)
    for row, before in zip(again, kept, strict=True):
        assert (row.split, row.example, row.label) == ("test", *_named(before))
        assert (row.predicted, row.accepted) == (before.predicted, before.accepted)
        assert row.probabilities == pytest.approx(before.probabilities, abs=1e-5)
    wrong = sorted((row.confidence for row in again if not row.is_right), reverse=True)
    worst = [row["confidence"] for row in values["worst_mistakes"]]
    assert worst == wrong[:5]
    assert worst
    assert main(["evaluate", base, data, f"--to={to}"]) == 2
    assert f"{to} is there already. Nothing was touched" in capsys.readouterr().err


def _named(row):
    return row.example, row.label


@pytest.mark.parametrize(
    ("to", "why"), [("a.csv", "must end in .jsonl"), ("file/a.jsonl", "be written")]
)
def test_place_of_predictions_is_refused_first(tmp_path, capsys, to, why):
    (tmp_path / "file").write_text("")
    to = f"--to={tmp_path / to}"
    assert main(["evaluate", str(tmp_path), "--data=builtin:digits", to]) == 2
    assert why in capsys.readouterr().err


def test_worst_mistakes_are_printed_and_text_rows_named(tmp_path, capsys):
    artifact = small_artifacts.make(tmp_path / "model", ["zero", "<b>one</b>"])
    table = "text,label\na,<b>one</b>\nbb,zero\nccc,zero\ndddd,zero\n"
    (tmp_path / "texts.csv").write_text(table)
    to = tmp_path / "answers.jsonl"
    arguments = [str(artifact), f"--data=csv:{tmp_path}/texts.csv", "--split=all"]
    assert main(["evaluate", *arguments, f"--to={to}"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"texts.csv, line 4 +zero +<b>one</b> +0.7500 +yes", printed)
    assert printed.count("texts.csv, line") == 1  # the others are right
    assert [row.example for row in read(to)] == [
        f"texts.csv, line {line}" for line in range(2, 6)
    ]


def test_labels_of_another_kind_are_named(finished_run, tmp_path, capsys):
    """Without advice to set a field: an artifact answers what it was trained for."""
    x = np.zeros((12, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "several.npz", x=x, y=np.tile([[1, 1, 0], [0, 0, 1]], (6, 1)))
    data = f"npz:{tmp_path / 'several.npz'}"
    assert main(["evaluate", str(finished_run / "artifact"), "--data", data]) == 3
    message = capsys.readouterr().err
    assert "has labels for 'multi_label', 0 and 1 in an array of shape" in message
    assert "The artifact answers 'single_label': name data with labels of" in message
    assert "config." not in message
