"""Whole folders and tables: every example once, whatever happens on the way."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

import pipelines
from pipelines.batch.output import record_of
from pipelines.batch.source import parse
from pipelines.cli import main
from pipelines.data.readers.builtin import read
from pipelines.errors import DataError

ODD_NAMES = ("two\nlines.png", '"quoted", =1+1.png', os.fsdecode(b"not \xff UTF-8.png"))
BAD_NAMES = ("broken.jpg", "empty.png", "nowhere.png", "pipe.png", "folder.png/x.gif")
MANY = 700


@pytest.fixture(scope="module")
def artifact(finished_run: Path) -> Path:
    return finished_run / "artifact"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Digits as files, at two depths, among what is no image."""
    folder = tmp_path_factory.mktemp("photos")
    pixels = read("digits").inputs.pixels[:40].astype(np.uint8)
    names = [*ODD_NAMES, *(f"deep/er/{i}.png" for i in range(37))]
    for name, one in zip(names, pixels, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            Image.fromarray(one).save(stream, "PNG")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (folder / "empty.png").touch()
    (folder / "nowhere.png").symlink_to("gone")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "folder.png" / "x.gif").write_bytes(b"GIF89a")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def many(photos: Path, tmp_path_factory) -> Path:
    """So many images that a process can be killed between the first and the last."""
    folder = tmp_path_factory.mktemp("many")
    contents = [(photos / f"deep/er/{i}.png").read_bytes() for i in range(37)]
    for i in range(MANY):
        (folder / f"{i:05}.png").write_bytes(contents[i % 37])
    return folder


def predict(artifact: Path, source: object, to: Path, *more: str) -> int:
    return main(["predict", str(artifact), str(source), "--to", str(to), *more])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def refusal(capsys, artifact: Path, source: object, to: Path, *more: str) -> str:
    capsys.readouterr()
    assert predict(artifact, source, to, *more) in (2, 3)
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def written(artifact, photos, tmp_path_factory) -> Path:
    """Predictions for the photos, for reading only."""
    out = tmp_path_factory.mktemp("written") / "new" / "out.jsonl"
    assert predict(artifact, photos, out) == 0
    return out


def test_a_folder_has_a_row_for_every_image(artifact, photos, written):
    rows = {row.pop("file"): row for row in lines(written)}
    assert len(rows) == 45
    assert list(rows) == sorted(rows, key=lambda name: name.split("/"))
    assert {name for name, row in rows.items() if not row["valid"]} == set(BAD_NAMES)
    assert {row["label"] for row in rows.values() if not row["valid"]} == {""}

    good = [name for name in rows if name not in BAD_NAMES]
    contents = [(photos / name).read_bytes() for name in good]
    for name, alone in zip(good, pipelines.load(artifact).predict(contents)):
        row = rows[name]
        assert (row["label"], row["valid"]) == (alone.label, True)
        assert row["prediction_set"] == list(alone.prediction_set)
        assert row["accepted"] == alone.accepted
        assert row["confidence"] == pytest.approx(alone.confidence, abs=1e-5)
        assert row["probabilities"] == pytest.approx(alone.probabilities, abs=1e-5)


def test_a_table_is_written_as_a_table(artifact, photos, written, tmp_path, capsys):
    command = (artifact, f"dir:{photos}", tmp_path / "out.csv", "--json")
    assert predict(*command) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["examples"], said["new"], said["invalid"]) == (45, 45, 5)
    with (tmp_path / "out.csv").open(newline="") as stream:
        cells = list(csv.DictReader(stream, strict=True))
    rows = lines(written)
    assert len(cells) == len(rows) == 45
    assert (tmp_path / "out.csv").read_text().count("\n") == 46
    for cell, row in zip(cells, rows):
        assert cell["label"] == row["label"]
        assert cell["valid"] == str(row["valid"])
        assert float(cell["probability:7"]) == row["probabilities"]["7"]
        assert json.loads(cell["prediction_set"]) == row["prediction_set"]
    assert {r"two\nlines.png", r"not \udcff UTF-8.png"} <= {c["file"] for c in cells}


def test_a_table_of_images_is_read_row_by_row(artifact, photos, tmp_path):
    table = tmp_path / "table.csv"
    names = ["deep/er/0.png", "gone.png", "deep/er/0.png", "broken.jpg", ""]
    rows = "".join(
        f"{i},{photos / name if name else ''}\n" for i, name in enumerate(names)
    )
    table.write_text(f"id,where\n{rows}")
    out = tmp_path / "out.jsonl"
    assert predict(artifact, f"csv:{table}?image=where", out) == 0
    found = lines(out)
    assert [row["line"] for row in found] == [2, 3, 4, 5, 6]
    assert [row["valid"] for row in found] == [True, False, True, False, False]
    assert found[0]["file"] == str(photos / "deep/er/0.png")
    assert found[0]["probabilities"] == found[2]["probabilities"]


def test_texts_keep_their_bytes(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text('id,said\n1,"two\nlines"\n2,naïve\n3,\n', encoding="utf-8")
    source = parse(f"csv:{table}?text=said", modality="text")
    assert [item.text for item in source.items()] == [
        b"two\nlines",
        "naïve".encode(),
        b"",
    ]
    assert [item.origin for item in source.items(1)] == [{"line": 4}, {"line": 5}]
    before = source.fingerprint()
    assert before.examples == 3
    table.write_text('id,said\n1,"two\nlines"\n2,naive\n3,\n', encoding="utf-8")
    assert source.fingerprint().sha256 != before.sha256
    with pytest.raises(DataError, match="holds texts, but the artifact takes images"):
        parse(f"csv:{table}?text=said", modality="image")


@pytest.mark.slow
@pytest.mark.faults
def test_what_was_killed_goes_on_where_it_was(artifact, many, tmp_path, capsys):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    assert predict(artifact, many, whole) == 0
    code = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
    command = ["predict", str(artifact), str(many), "--to", str(out)]
    process = subprocess.Popen([sys.executable, "-c", code, *command])
    try:
        deadline = time.monotonic() + 120
        while not 0 < rows_done(out) < MANY:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()
    done = rows_done(out)
    assert 0 < done < MANY
    with out.open("ab") as stream:  # as a write that was cut in the middle of a row
        stream.write(b"00999.png,3,0.")
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["new"] == MANY - done
    assert out.read_bytes() == whole.read_bytes()
    assert rows_done(out) == MANY


def rows_done(out: Path) -> int:
    record = record_of(out)
    return json.loads(record.read_text())["progress"]["rows"] if record.exists() else 0


def test_a_finished_output_stays_as_it_is(artifact, photos, written, capsys):
    before = written.read_bytes()
    capsys.readouterr()
    assert predict(artifact, photos, written) == 0
    assert "45 predictions, 0 of them new, 5 not valid" in capsys.readouterr().out
    assert written.read_bytes() == before


def test_an_output_belongs_to_one_artifact_and_one_source(
    artifact, photos, tmp_path, capsys
):
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
        said = refusal(capsys, artifact, source, out)
    assert "is being written by another process" in said
    assert out.read_bytes() == before

    out.write_bytes(before[:-5])
    assert "is shorter than the" in refusal(capsys, artifact, source, out)
    record_of(out).unlink()
    assert "is not an unfinished output" in refusal(capsys, artifact, source, out)
    assert out.read_bytes() == before[:-5]


def test_what_cannot_be_predicted_is_refused_first(artifact, photos, tmp_path, capsys):
    empty, out = tmp_path / "empty", tmp_path / "out.jsonl"
    empty.mkdir()
    (empty / "notes.txt").write_text("no image")
    assert "has no image to predict. Allowed: .bmp" in refusal(
        capsys, artifact, empty, out
    )
    text = tmp_path / "out.txt"
    assert "must end in .jsonl or .csv" in refusal(capsys, artifact, photos, text)
    said = refusal(capsys, artifact, "builtin:digits", out)
    assert "give a folder of images, or a table" in said
    said = refusal(capsys, artifact, f"dir:{photos}?limit=3", out)
    assert "has options that mean nothing here" in said
    table = tmp_path / "table.csv"
    table.write_text("image,more\na.png,1\nb.png\n")
    said = refusal(capsys, artifact, f"csv:{table}", out)
    assert f"Line 3 of {table} has 1 cells" in said
    assert main(["predict", str(artifact), str(photos)]) == 2
    assert "say with --to FILE.jsonl" in capsys.readouterr().err
    assert main(["predict", str(artifact), str(photos), "--shards=2"]) == 2
    assert "need --to DIR" in capsys.readouterr().err
    assert not out.exists()
    assert not record_of(out).exists()


@pytest.mark.slow
def test_shards_are_the_parts_of_one_file(artifact, photos, written, tmp_path, capsys):
    shards = tmp_path / "shards"
    assert predict(artifact, photos, shards, "--shards=3") == 0
    names = [f"predictions-{k:05}-of-00003.jsonl" for k in range(3)]
    there = sorted(path.name for path in shards.iterdir())
    assert there == [*names, "zoo_predictions.json"]
    found = [row for name in names for row in lines(shards / name)]
    wanted = lines(written)
    assert [row["file"] for row in found] == [row["file"] for row in wanted]
    assert [row["label"] for row in found] == [row["label"] for row in wanted]
    assert sum(not row["valid"] for row in found) == 5

    before = {name: (shards / name).stat().st_ino for name in names}
    content = (shards / names[1]).read_bytes()
    (shards / names[1]).unlink()
    (shards / ".unfinished-of-a-worker").write_text("{")
    capsys.readouterr()
    assert predict(artifact, photos, shards, "--shards=3", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["examples"], said["new"], said["invalid"]) == (45, 15, 5)
    assert (shards / names[1]).read_bytes() == content
    for name in (names[0], names[2]):
        assert (shards / name).stat().st_ino == before[name]
    assert not (shards / ".unfinished-of-a-worker").exists()

    said = refusal(capsys, artifact, photos, shards, "--shards=2")
    assert "was begun with another number of shards" in said
    said = refusal(capsys, artifact, photos / "deep", shards, "--shards=3")
    assert "belongs to other data" in said
    said = refusal(capsys, artifact, photos, photos, "--shards=3")
    assert "has no zoo_predictions.json" in said


@pytest.fixture(scope="module")
def features(artifact, photos, tmp_path_factory):
    """What the head reads of the photos, for reading only."""
    out = tmp_path_factory.mktemp("features") / "out.jsonl"
    assert predict(artifact, photos, out, "--features") == 0
    return out


def test_features_are_those_of_the_artifact(artifact, photos, written, features):
    rows, predictions = lines(features), lines(written)
    keys = [(row["file"], row["valid"]) for row in rows]
    assert keys == [(row["file"], row["valid"]) for row in predictions]
    good = [row for row in rows if row["valid"]]
    assert len(good) == 40
    contents = [(photos / row["file"]).read_bytes() for row in good]
    wanted = pipelines.load(artifact).features(contents)
    found = np.array([row["features"] for row in good])
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert found.std(axis=0).max() > 0.01
    assert not any(np.any(row["features"]) for row in rows if not row["valid"])


def test_features_and_predictions_are_not_mixed(
    artifact, photos, written, features, tmp_path, capsys
):
    said = refusal(capsys, artifact, photos, features)
    assert "its output holds features, not predictions" in said
    said = refusal(capsys, artifact, photos, written, "--features")
    assert "its output holds predictions, not features" in said
    said = refusal(capsys, artifact, photos, tmp_path / "out.csv", "--features")
    assert "must end in .jsonl, which says how features are written" in said
    assert main(["predict", str(artifact), str(photos), "--features"]) == 2
    assert "--features needs --to FILE.jsonl" in capsys.readouterr().err


@pytest.mark.slow
def test_shards_of_features_are_the_parts_of_one_file(
    artifact, photos, features, tmp_path
):
    shards = tmp_path / "shards"
    assert predict(artifact, photos, shards, "--features", "--shards=2") == 0
    names = [f"features-{k:05}-of-00002.jsonl" for k in range(2)]
    found = [row for name in names for row in lines(shards / name)]
    for one, other in zip(found, lines(features), strict=True):
        assert (one["file"], one["valid"]) == (other["file"], other["valid"])
        np.testing.assert_allclose(one["features"], other["features"], atol=1e-5)


def test_beam_is_an_extra(artifact, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    said = refusal(capsys, artifact, photos, tmp_path / "shards", "--shards=2")
    assert "pip install 'zootune[beam]' && pip install --no-deps 'apache-beam" in said
    assert ", or leave --shards out." in said
    assert not (tmp_path / "shards").exists()
