"""Inspections are kept while files do not change, in private, by several writers."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.data.checks import inspection_cache
from tests.support.inspected import inspections, png, written


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_inspection_comes_back_from_the_cache(tmp_path: Path) -> None:
    good, bad = written(tmp_path / "a.jpg", png(0)), written(tmp_path / "b.png", b"no")
    first = inspections(good, bad)
    assert first[0].content == sha256(png(0))
    assert first[0].odd == ("wrong extension: a PNG whose name ends in .jpg",)
    assert (first[0].width_px, first[0].height_px, first[0].kind) == (40, 40, "PNG")
    assert "not an image" in first[1].bad
    with inspection_cache.opened(maximum_megapixels=50.0) as cache:
        stamps = {str(p): inspection_cache.stamp_of(p.stat()) for p in (good, bad)}
        assert cache is not None
        assert cache.find(stamps) == {str(good): first[0], str(bad): first[1]}
    assert inspections(good, bad) == first


def test_a_file_written_just_now_is_not_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", png(0), age_ns=10**9)
    inspections(path)
    with inspection_cache.opened(maximum_megapixels=50.0) as cache:
        assert cache is not None
        assert cache.find({str(path): inspection_cache.stamp_of(path.stat())}) == {}
        settled = written(tmp_path / "b.png", png(0), age_ns=3 * 10**9)
        inspections(settled)
        assert (
            len(cache.find({str(settled): inspection_cache.stamp_of(settled.stat())}))
            == 1
        )


def test_the_cache_is_private(tmp_path: Path) -> None:
    inspections(written(tmp_path / "a.png", png(0)))
    assert inspection_cache.folder().stat().st_mode & 0o777 == 0o700
    inspection_cache.folder().chmod(0o755)
    inspections(written(tmp_path / "b.png", png(1)))
    assert inspection_cache.folder().stat().st_mode & 0o777 == 0o700


def test_a_damaged_cache_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a.png", png(0))
    first = inspections(path)
    assert not caplog.records
    (database,) = inspection_cache.folder().glob("*.sqlite3")
    database.write_bytes(b"no database" * 1000)
    assert inspections(path) == first
    assert "was damaged" in caplog.text
    caplog.clear()
    assert inspections(path) == first
    assert not caplog.records


def test_where_no_cache_can_be_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path / "file"))
    assert inspections(written(tmp_path / "a.png", png(0)))[0].content == sha256(png(0))
    assert "without a cache" in caplog.text


def test_what_was_kept_long_ago_is_forgotten(tmp_path: Path) -> None:
    old, new = (written(tmp_path / name, png(0)) for name in ("a.png", "b.png"))
    inspections(old)
    with sqlite3.connect(inspection_cache.folder() / "looks.sqlite3") as connection:
        connection.execute("UPDATE looks SET day = day - 200")
    inspections(new)
    with sqlite3.connect(inspection_cache.folder() / "looks.sqlite3") as connection:
        paths = connection.execute("SELECT path FROM looks").fetchall()
    assert paths == [(os.fsencode(new),)]


WRITER = """
import sys
from pipelines.data.checks import inspection_cache
from pipelines.data.checks.inspection import Inspection
for i in range(40):
    with inspection_cache.opened(maximum_megapixels=50.0) as cache:
        cache.keep({f"{sys.argv[1]}{i}": ((i, i, i), Inspection(content=sys.argv[1]))})
"""


def test_two_writers_lose_nothing() -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, who]) for who in "ab"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    with inspection_cache.opened(maximum_megapixels=50.0) as cache:
        assert cache is not None
        found = cache.find({f"{who}{i}": (i, i, i) for who in "ab" for i in range(40)})
    assert len(found) == 80
    assert {inspection.content for inspection in found.values()} == {"a", "b"}
