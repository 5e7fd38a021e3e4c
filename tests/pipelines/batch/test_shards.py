"""Predictions by the workers of Beam, in files that are whole or missing."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tests.support.batch_runs import lines, predict, refusal


@pytest.mark.slow
def test_shards_are_parts_of_one_file(artifact, photos, written, tmp_path, capsys):
    shards = tmp_path / "shards"
    assert predict(artifact, photos, shards, "--shards=3") == 0
    names = [f"predictions-{k:05}-of-00003.jsonl" for k in range(3)]
    there = sorted(path.name for path in shards.iterdir())
    assert there == [*names, "zoo_predictions.json"]
    rows = [row for name in names for row in lines(shards / name)]
    expected = lines(written)
    assert [row["file"] for row in rows] == [row["file"] for row in expected]
    assert [row["label"] for row in rows] == [row["label"] for row in expected]
    assert sum(not row["valid"] for row in rows) == 5

    before = {name: (shards / name).stat().st_ino for name in names}
    content = (shards / names[1]).read_bytes()
    (shards / names[1]).unlink()
    (shards / ".unfinished-of-a-worker").write_text("{")
    capsys.readouterr()
    assert predict(artifact, photos, shards, "--shards=3", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["examples"], printed["new"], printed["invalid"]) == (45, 15, 5)
    assert (shards / names[1]).read_bytes() == content
    for name in (names[0], names[2]):
        assert (shards / name).stat().st_ino == before[name]
    assert not (shards / ".unfinished-of-a-worker").exists()

    printed = refusal(capsys, artifact, photos, shards, "--shards=2")
    assert "was begun with another number of shards" in printed
    printed = refusal(capsys, artifact, photos / "deep", shards, "--shards=3")
    assert "belongs to other data" in printed
    printed = refusal(capsys, artifact, photos, photos, "--shards=3")
    assert "has no zoo_predictions.json" in printed


@pytest.mark.slow
def test_shards_of_features_are_parts_of_one_file(artifact, photos, features, tmp_path):
    shards = tmp_path / "shards"
    assert predict(artifact, photos, shards, "--features", "--shards=2") == 0
    names = [f"features-{k:05}-of-00002.jsonl" for k in range(2)]
    rows = [row for name in names for row in lines(shards / name)]
    for row, other in zip(rows, lines(features), strict=True):
        assert (row["file"], row["valid"]) == (other["file"], other["valid"])
        np.testing.assert_allclose(row["features"], other["features"], atol=1e-5)


def test_beam_is_an_extra(artifact, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    printed = refusal(capsys, artifact, photos, tmp_path / "shards", "--shards=2")
    assert (
        "pip install 'zootune[beam]' && pip install --no-deps 'apache-beam" in printed
    )
    assert ", or leave --shards out." in printed
    assert not (tmp_path / "shards").exists()
