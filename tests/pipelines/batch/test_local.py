"""Whole folders and tables into one file: every example once, whatever happens."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.cli import main
from tests.support import warm_python
from tests.support.batch_runs import lines, predict, rows_done

BAD_NAMES = ("broken.jpg", "empty.png", "nowhere.png", "pipe.png", "folder.png/x.gif")
MANY = 700


@pytest.fixture(scope="module")
def many(photos: Path, tmp_path_factory) -> Path:
    """Images for so long that a process can be killed before the last."""
    folder = tmp_path_factory.mktemp("many")
    contents = [(photos / f"deep/er/{i}.png").read_bytes() for i in range(37)]
    for i in range(MANY):
        (folder / f"{i:05}.png").write_bytes(contents[i % 37])
    return folder


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
    summary = json.loads(capsys.readouterr().out)
    assert (summary["examples"], summary["new"], summary["invalid"]) == (45, 45, 5)
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


def test_table_of_images_is_read_by_row(artifact, photos, tmp_path):
    table = tmp_path / "table.csv"
    names = ["deep/er/0.png", "gone.png", "deep/er/0.png", "broken.jpg", ""]
    rows = "".join(
        f"{i},{photos / name if name else ''}\n" for i, name in enumerate(names)
    )
    table.write_text(f"id,where\n{rows}")
    out = tmp_path / "out.jsonl"
    assert predict(artifact, f"csv:{table}?image=where", out) == 0
    rows_read = lines(out)
    assert [row["line"] for row in rows_read] == [2, 3, 4, 5, 6]
    assert [row["valid"] for row in rows_read] == [True, False, True, False, False]
    assert rows_read[0]["file"] == str(photos / "deep/er/0.png")
    assert rows_read[0]["probabilities"] == rows_read[2]["probabilities"]


@pytest.mark.slow
@pytest.mark.faults
def test_killed_prediction_goes_on_where_it_was(artifact, many, tmp_path, capsys):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    assert predict(artifact, many, whole) == 0
    code = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
    command = ["predict", str(artifact), str(many), "--to", str(out)]
    process = warm_python.Popen([sys.executable, "-c", code, *command])
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


def test_a_finished_output_stays_as_it_is(artifact, photos, written, capsys):
    before = written.read_bytes()
    capsys.readouterr()
    assert predict(artifact, photos, written) == 0
    assert "45 predictions, 0 of them new, 5 not valid" in capsys.readouterr().out
    assert written.read_bytes() == before


def test_features_are_those_of_the_artifact(artifact, photos, written, features):
    rows, predictions = lines(features), lines(written)
    keys = [(row["file"], row["valid"]) for row in rows]
    assert keys == [(row["file"], row["valid"]) for row in predictions]
    good = [row for row in rows if row["valid"]]
    assert len(good) == 40
    contents = [(photos / row["file"]).read_bytes() for row in good]
    expected = pipelines.load(artifact).features(contents)
    features_read = np.array([row["features"] for row in good])
    assert features_read.shape == expected.shape
    np.testing.assert_allclose(features_read, expected, atol=1e-5)
    assert features_read.std(axis=0).max() > 0.01
    assert not any(np.any(row["features"]) for row in rows if not row["valid"])
