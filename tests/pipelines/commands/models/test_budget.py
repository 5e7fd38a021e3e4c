"""The command `zoo budget`, in process."""

import json

from pipelines.cli import main
from pipelines.commands.models.budget import budget_table

_ROW = {
    "run": "runs/a",
    "backbone": "tiny_image, 32 px",
    "format": "onnx",
    "bytes": 2_000_000,
    "metric": "accuracy",
    "quality": 0.9,
    "milliseconds": 1.5,
    "p95_milliseconds": 2.5,
    "is_best_so_far": True,
}


def test_folder_without_a_run_exits_2(capsys, tmp_path):
    assert main(["budget", str(tmp_path), "--latency-ms=20"]) == 2
    assert "not the folder of a finished run" in capsys.readouterr().err


def test_budget_prints_json(capsys, finished_run):
    arguments = [str(finished_run), "--latency-ms=1e6", "--format=savedmodel"]
    assert main(["budget", *arguments, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["best"]["format"] == "savedmodel"


def test_table_names_the_best_and_reasons():
    left = [("runs/a", "litert-int8", "It does not run.")]
    values = {"latency_ms": 20, "rows": [_ROW], "best": _ROW, "left_out": left}
    text = budget_table(values)
    assert "best within 20 ms: onnx of runs/a, accuracy 0.9000" in text
    assert "runs/a, litert-int8: It does not run." in text
    nothing = budget_table({**values, "latency_ms": 1, "best": None})
    assert "Nothing answers 95 of 100 examples in 1 ms" in nothing
