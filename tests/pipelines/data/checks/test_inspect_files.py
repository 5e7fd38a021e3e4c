"""Files are inspected once, again when they change, and never when that is unsure."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.data.checks import inspection_cache
from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.checks.inspection import Inspection
from pipelines.data.splits import ImageFiles
from pipelines.errors import DataError
from tests.support.inspected import HOUR_NS, inspections, png, written


def plant(path: Path, *, content: str) -> None:
    """Makes the cache say something else, which shows whether it was believed."""
    with inspection_cache.opened(maximum_megapixels=50.0) as cache:
        assert cache is not None
        stamp = inspection_cache.stamp_of(path.stat())
        cache.keep({str(path): (stamp, Inspection(content=content, kind="PNG"))})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", png(0))
    inspections(path)
    plant(path, content="kept")
    assert inspections(path)[0].content == "kept"
    assert content_hashes(ImageFiles((str(path),))) == ["kept"]  # training's check too
    assert inspections(path, use_cache=False)[0].content == sha256(png(0))
    assert inspections(path)[0].content == sha256(png(0)), "and what was found is kept"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", png(0))
    inspections(path)
    written(path, png(1), age_ns=HOUR_NS // 2)
    assert inspections(path)[0].content == sha256(png(1))


def test_changed_file_of_same_size_is_read_again(tmp_path: Path) -> None:
    """As after `rsync --times` or `touch --reference`: another time gives it away."""
    path = written(tmp_path / "a.png", png(0))
    inspections(path)
    before = path.stat()
    path.write_bytes(png(1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert inspections(path)[0].content == sha256(png(1))


def test_another_limit_is_another_inspection(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", png(0))
    assert inspections(path)[0].bad == ""
    reason = "an image of more than 0.001 million pixels, or of none"
    assert inspections(path, megapixels=0.001)[0].bad == reason
    assert inspections(path)[0].bad == ""


def test_limit_of_the_reference_holds_in_checks(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", png(0))
    assert len(content_hashes(ImageFiles((str(path),), maximum_megapixels=1))) == 1
    with pytest.raises(DataError, match=r"a\.png: an image of more than 0\.001"):
        content_hashes(ImageFiles((str(path),), maximum_megapixels=0.001))


def test_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(0))
    with path.open("ab") as stream:
        stream.truncate(16_001)
    assert inspections(path, megapixels=0.001)[0].bad.startswith(
        "a file of 0 MB, more than"
    )
    path.write_bytes(png(0))
    assert "more than 0.001 million" in inspections(path, megapixels=0.001)[0].bad


KNOWN_THEN_NEW = """
import sys
from pipelines.data.checks.inspect_files import inspect_files
for path in sys.argv[1:]:
    (inspection,) = inspect_files([path], maximum_megapixels=50.0)
    print(inspection.kind, 'tensorflow' in sys.modules)
"""


def test_nothing_new_needs_no_tensorflow(tmp_path: Path) -> None:
    known, new = (written(tmp_path / name, png(0)) for name in ("a.png", "b.png"))
    inspections(known)
    said = subprocess.run(
        [sys.executable, "-c", KNOWN_THEN_NEW, str(known), str(new)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said == ["PNG", "False", "PNG", "True"]
