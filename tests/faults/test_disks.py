"""Disks that are full or read-only, and clocks that jump."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError, TrainingError
from pipelines.runs import folder as run_folder
from pipelines.training.checkpoint import Checkpoints

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no file system could be mounted: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_full_disk_keeps_checkpoints_and_training_resumes(parts, small_disk, tmp_path):
    checkpoints = Checkpoints(small_disk / "checkpoints")
    filler = small_disk / "filler"

    class Filling(Checkpoints):
        """Somebody fills the disk after two checkpoints."""

        def store(self, arrays):
            if len(list(self.folder.glob("0*.json"))) == 2 and not filler.exists():
                filler.write_bytes(b"0" * _free(small_disk))
            return super().store(arrays)

    filling = Filling(checkpoints.folder)
    sentence = r"checkpoints/\S+ could not be written: No space left .* \d+ are free"
    with pytest.raises(TrainingError, match=sentence):
        parts.train(tmp_path, filling, every_seconds=0.0)
    names = {path.name for path in checkpoints.folder.iterdir()}
    assert not [name for name in names if name.endswith(".new")]
    assert checkpoints.newest() is not None
    filler.unlink()
    checkpoints.write({}, {"some": checkpoints.store([np.zeros(100)])})
    assert checkpoints.newest().arrays["some"][0].shape == (100,)


def test_full_disk_of_a_log_names_no_memory(parts, small_disk, tmp_path):
    """F8: TensorFlow has one name for both."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    filler = small_disk / "filler"

    class Filling(Checkpoints):
        def write(self, values, groups):
            super().write(values, groups)
            if not filler.exists():
                filler.write_bytes(b"0" * _free(small_disk))

    with pytest.raises(TrainingError, match="(?s)^(?!.*memory).*No space left on dev"):
        parts.train(small_disk / "run", Filling(checkpoints.folder), every_seconds=1e-9)
    filler.unlink()
    outcome = parts.train(small_disk / "run", checkpoints, every_seconds=1e9)
    assert len(outcome.history.phases) == 2


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def test_read_only_disk_is_refused_before_computing(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    config = RunConfig(data="dir:photos", workdir=str(small_disk / "run"))
    with (
        pytest.raises(ConfigError, match="cannot be written: .*disk is not a folder"),
        run_folder.locked(config),
    ):
        pytest.fail("claimed what cannot be written")


def test_deadlines_use_no_clock_that_jumps():
    """Clocks that people and networks set jump back; the monotonic one does not."""
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for folder in ("pipelines", "zoo")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert any("time.monotonic()" in text for text in sources.values())
    clocks = re.compile(r"\btime\.time\(|\bdatetime\.(now|utcnow|today)\(")
    # The day on which a look was taken, to throw old ones away.
    assert [name for name, text in sources.items() if clocks.search(text)] == [
        "pipelines/data/checks/inspection_cache.py"
    ]
