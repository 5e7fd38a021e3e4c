"""A file is published only after a comparison, whose record lies beside it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.serving import artifact
from tests.support.exports import refusal


def test_record_describes_files_and_comparison(exported: Path, digits):
    folder = exported / "assets.extra" / "litert"
    printed = json.loads((folder / "zoo_formats.json").read_text())
    assert set(printed["files"]) == {"float32.tflite", "float16.tflite"}
    manifest = artifact.read_manifest(exported)
    accuracy = manifest.metrics["test"]["accuracy"]
    for name, record in printed["files"].items():
        content = (folder / name).read_bytes()
        assert record["sha256"] == hashlib.sha256(content).hexdigest()
        assert record["bytes"] == len(content)
        assert (record["split"], record["examples"]) == ("test", len(digits))
        assert record["saved_model_accuracy"] == pytest.approx(accuracy)
        assert record["accuracy"] + record["accuracy_loss"] == pytest.approx(accuracy)
        assert record["agreement"] == 1.0
        assert 0 < record["seconds_per_example"] < 1
    assert (
        printed["files"]["float32.tflite"]["bytes"]
        > 1.4 * (printed["files"]["float16.tflite"]["bytes"])
    )
    assert printed["class_names"] == list(manifest.class_names)
    assert printed["input"]["dtype"] == "uint8"
    assert "ai-edge-litert" in printed["versions"]


def test_format_that_loses_too_much_is_refused(
    finished_run: Path, tmp_path: Path, capsys, coarse
):
    base = tmp_path / "base"
    base.mkdir()
    printed = refusal(capsys, finished_run, base, "--format=litert-int8", code=4)
    assert re.search(
        r"litert-int8 loses 0\.[3-9]\d* of accuracy on 20 examples", printed
    )
    assert "and 0.01 is allowed. Nothing was published" in printed
    command = ["export", str(finished_run), "--to", str(base), "--json"]
    allowed = ["--format=litert-int8", "--max-accuracy-loss=1"]
    assert main([*command, *allowed]) == 0
    (record,) = json.loads(capsys.readouterr().out)["formats"]
    assert record["accuracy_loss"] > 0.3
    assert record["max_accuracy_loss"] == 1
    assert artifact.open_verified(base).version == 1


def test_format_without_rounding_must_agree(
    finished_run: Path, tmp_path: Path, capsys, coarse
):
    base = tmp_path / "base"
    base.mkdir()
    more = ("--format=litert-float32", "--max-accuracy-loss=1")
    printed = refusal(capsys, finished_run, base, *more, code=4)
    assert "litert-float32 differs from the SavedModel" in printed
    assert "it does not compute the same" in printed
