"""A version of a finished run is whole, in formats that were compared, or not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.serving import artifact
from tests.support.exports import refusal


def change_manifest(version: Path, **values: object) -> None:
    path = version / artifact.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_version_holds_the_bytes_of_the_run(exported: Path, finished_run: Path):
    before = finished_run / "artifact" / "1"
    alone = exported.parent / "1"
    assert artifact.hash_files(alone) == artifact.hash_files(before)
    assert artifact.read_manifest(alone) == artifact.read_manifest(before)
    beside = artifact.open_verified(exported.parent)
    assert beside.version == 2
    assert artifact.hash_files(before).items() <= beside.manifest.files.items()


def test_added_files_are_hidden_from_servers(exported: Path):
    """A server fails to load a folder with a number and no SavedModel."""
    added = {"litert/float32.tflite", "litert/float16.tflite", "onnx/model.onnx"}
    added |= {"litert/zoo_formats.json", "onnx/zoo_formats.json"}
    before = set(artifact.hash_files(exported.parent / "1"))
    assert set(artifact.hash_files(exported)) == before | {
        f"assets.extra/{name}" for name in added
    }
    hidden = [p.name for p in exported.parent.iterdir() if not p.name.isdigit()]
    assert hidden == []


def test_an_unfinished_run_is_refused(copied_run: Path, tmp_path: Path, capsys):
    (copied_run / "report.json").unlink()
    printed = refusal(capsys, copied_run, tmp_path / "base", code=2)
    assert "is not the folder of a finished run" in printed


def test_an_artifact_that_changed_is_refused(copied_run: Path, tmp_path: Path, capsys):
    with (copied_run / "artifact" / "1" / "saved_model.pb").open("ab") as stream:
        stream.write(b"x")
    printed = refusal(capsys, copied_run, tmp_path / "base", code=4)
    assert "saved_model.pb differ" in printed


def test_data_that_changed_are_refused(finished_run: Path, tmp_path: Path, capsys):
    base = tmp_path / "base"
    base.mkdir()
    more = ("--format=onnx", "--data=builtin:digits?limit=100")
    printed = refusal(capsys, finished_run, base, *more, code=3)
    assert "is not what the run was trained on" in printed
    printed = refusal(capsys, finished_run, base, "--data=builtin:digits", code=2)
    assert "the SavedModel is published as it is. Leave --data out" in printed


def test_a_base_of_another_model_is_refused(
    finished_run: Path, exported: Path, tmp_path: Path, capsys
):
    base = tmp_path / "base"
    shutil.copytree(exported.parent / "1", base / "7")
    change_manifest(base / "7", class_names=["cat", "dog"])
    printed = refusal(capsys, finished_run, base, code=2)
    assert "holds another model: the classes of version 7 are ['cat', 'dog']" in printed
    (base / "7" / artifact.MANIFEST).unlink()
    assert "is not one of our artifacts" in refusal(capsys, finished_run, base, code=2)
    (base / "7").rename(base / "not a version")
    assert main(["export", str(finished_run), "--to", str(base)]) == 0


def test_a_saved_model_alone_needs_no_tensorflow(
    finished_run: Path, tmp_path: Path, fresh_process
):
    code = (
        "import sys; from pipelines.cli import main;"
        "code = main(['export', sys.argv[1], '--to', sys.argv[2]]);"
        "sys.exit(code or 'tensorflow' in sys.modules)"
    )
    ended = fresh_process(code, str(finished_run), str(tmp_path / "base"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"published: {tmp_path / 'base' / '1'}\n"


@pytest.mark.parametrize("tolerance", ["-0.1", "1.1", "nan"])
def test_a_tolerance_is_a_fraction(
    finished_run: Path, tmp_path: Path, capsys, tolerance: str
):
    more = f"--max-accuracy-loss={tolerance}"
    printed = refusal(capsys, finished_run, tmp_path / "base", more, code=2)
    assert "from 0 to 1" in printed
