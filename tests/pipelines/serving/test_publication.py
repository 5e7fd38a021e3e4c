"""Artifacts are published by one rename, and never half there."""

import subprocess
import sys
import threading

import pytest

from pipelines.errors import ArtifactError
from pipelines.serving import publication
from tests.support.bare_artifacts import bare_artifact


def test_exports_at_the_same_time_get_different_versions(tmp_path):
    for i in range(8):
        bare_artifact(tmp_path / f"new{i}", str(i).encode())
    published = []

    def publish(i):
        published.append(publication.publish(tmp_path / f"new{i}", tmp_path).name)

    threads = [threading.Thread(target=publish, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(published) == [str(i) for i in range(1, 9)]
    contents = {(tmp_path / n / "saved_model.pb").read_bytes() for n in published}
    assert len(contents) == 8


def test_no_space_is_said_before_anything_is_written(tmp_path):
    publication.require_space(tmp_path, 1000)
    with pytest.raises(ArtifactError, match="no space to export .* MB are free"):
        publication.require_space(tmp_path, 10**18)


KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.serving import publication
with publication.unpublished(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_next_export_removes_leftovers_of_killed_one(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    with publication.unpublished(tmp_path) as first:
        assert not left.exists()
        with publication.unpublished(tmp_path) as second:
            assert first.is_dir(), "its maker lives"
        assert not second.exists()
    elsewhere = tmp_path / ".unpublished-0123456789ab-young"  # another machine's
    elsewhere.mkdir()
    with publication.unpublished(tmp_path):
        assert elsewhere.is_dir()
