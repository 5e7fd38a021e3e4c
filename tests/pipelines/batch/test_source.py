"""Sources without labels are read in one order, and other sources refused."""

from __future__ import annotations

import pytest

from pipelines.batch.output import record_of
from pipelines.batch.source import file_bytes, parse
from pipelines.cli import main
from pipelines.errors import DataError
from tests.support.batch_runs import refusal


def test_file_bytes_without_a_file_is_negative(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_bytes(str(tmp_path / "file")) == 3
    assert file_bytes(str(tmp_path)) == -1
    assert file_bytes(str(tmp_path / "absent")) == -1
    assert file_bytes("a\0b") == -1


def test_fingerprint_follows_names_and_sizes(tmp_path):
    (tmp_path / "a.png").write_bytes(b"abc")
    source = parse(str(tmp_path), modality="image")
    before = source.fingerprint()
    assert before.examples == 1
    assert parse(f"dir:{tmp_path}", modality="image").fingerprint() == before
    (tmp_path / "a.png").write_bytes(b"abcd")
    assert source.fingerprint() != before


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


def test_other_sources_are_refused_first(artifact, photos, tmp_path, capsys):
    empty, out = tmp_path / "empty", tmp_path / "out.jsonl"
    empty.mkdir()
    (empty / "notes.txt").write_text("notes")
    assert "has no image to predict. Allowed: .bmp" in refusal(
        capsys, artifact, empty, out
    )
    text = tmp_path / "out.txt"
    assert "must end in .jsonl or .csv" in refusal(capsys, artifact, photos, text)
    printed = refusal(capsys, artifact, "builtin:digits", out)
    assert "give a folder of images, or a table" in printed
    printed = refusal(capsys, artifact, f"dir:{photos}?limit=3", out)
    assert "has options that mean nothing here" in printed
    table = tmp_path / "table.csv"
    table.write_text("image,more\na.png,1\nb.png\n")
    printed = refusal(capsys, artifact, f"csv:{table}", out)
    assert f"Line 3 of {table} has 1 cells" in printed
    assert main(["predict", str(artifact), str(photos)]) == 2
    assert "say with --to FILE.jsonl" in capsys.readouterr().err
    assert main(["predict", str(artifact), str(photos), "--shards=2"]) == 2
    assert "need --to DIR" in capsys.readouterr().err
    assert not out.exists()
    assert not record_of(out).exists()
