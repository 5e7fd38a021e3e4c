"""An output grows by whole parts, for one artifact and one source."""

from __future__ import annotations

import json
import shutil

import filelock
import pytest

from pipelines.batch import output
from pipelines.batch.output import Identity, Progress, open_output, record_of
from pipelines.cli import main
from pipelines.errors import ConfigError
from tests.support.batch_runs import predict, refusal

WHOSE = Identity(artifact="a", inputs="i", examples=2, kind="predictions")


def test_output_goes_on_after_its_last_whole_part(tmp_path):
    path = tmp_path / "folder" / "out.jsonl"
    with open_output(path, WHOSE) as written:
        written.append("first\n", rows=1, invalid=0)
    with path.open("a") as stream:
        stream.write("cut")
    with open_output(path, WHOSE) as written:
        assert written.progress == Progress(rows=1, bytes=6)
        written.append("second\n", rows=1, invalid=1)
    assert path.read_text() == "first\nsecond\n"
    assert output.read_record(record_of(path), WHOSE) == Progress(2, 13, 1)


def test_record_keeps_its_names_on_disk(tmp_path):
    path = tmp_path / "record.json"
    output.write_record(path, WHOSE, Progress(rows=2))
    assert json.loads(path.read_text()) == {
        "format": 2,
        "identity": {
            "artifact": "a",
            "inputs": "i",
            "examples": 2,
            "what": "predictions",
        },
        "progress": {"rows": 2, "bytes": 0, "invalid": 0},
    }


def test_record_of_another_format_is_refused(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"format": 1, "identity": {}, "progress": {}}')
    with pytest.raises(ConfigError, match="has another format; this version reads 2"):
        output.read_record(path, WHOSE)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="cannot be understood"):
        output.read_record(path, WHOSE)


def test_output_belongs_to_one_artifact_and_source(artifact, photos, tmp_path, capsys):
    source, out = tmp_path / "source", tmp_path / "out.jsonl"
    source.mkdir()
    shutil.copy(photos / "deep/er/0.png", source / "0.png")
    assert predict(artifact, source, out) == 0
    before = out.read_bytes()

    copy = tmp_path / "copy" / "9"  # the same artifact elsewhere is the same
    shutil.copytree(artifact / "1", copy)
    assert predict(copy, source, out) == 0
    manifest = json.loads((copy / "zoo_artifact.json").read_text())
    manifest |= {"class_names": ["another", *manifest["class_names"][1:]], "digest": ""}
    (copy / "zoo_artifact.json").write_text(json.dumps(manifest))
    assert "belongs to another artifact" in refusal(capsys, copy, source, out)

    shutil.copy(photos / "deep/er/1.png", source / "1.png")
    assert "belongs to other data" in refusal(capsys, artifact, source, out)
    (source / "1.png").unlink()

    with out.open("rb") as stream:
        filelock.lock_descriptor(stream.fileno())
        printed = refusal(capsys, artifact, source, out)
    assert "is being written by another process" in printed
    assert out.read_bytes() == before

    out.write_bytes(before[:-5])
    assert "is shorter than the" in refusal(capsys, artifact, source, out)
    record_of(out).unlink()
    assert "is not an unfinished output" in refusal(capsys, artifact, source, out)
    assert out.read_bytes() == before[:-5]


def test_features_and_predictions_are_not_mixed(
    artifact, photos, written, features, tmp_path, capsys
):
    printed = refusal(capsys, artifact, photos, features)
    assert "its output holds features, not predictions" in printed
    printed = refusal(capsys, artifact, photos, written, "--features")
    assert "its output holds predictions, not features" in printed
    printed = refusal(capsys, artifact, photos, tmp_path / "out.csv", "--features")
    assert "must end in .jsonl, which says how features are written" in printed
    assert main(["predict", str(artifact), str(photos), "--features"]) == 2
    assert "--features needs --to FILE.jsonl" in capsys.readouterr().err
