"""One run at a time in a folder, and nobody waits for a dead one."""

import os
import signal
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.runs.lock import NAME, alone_in
from tests.support.lock_holder import holding

pytestmark = pytest.mark.faults


@pytest.fixture
def holder(tmp_path):
    with holding("pipelines.runs.lock", "alone_in", tmp_path / "run") as process:
        yield process


def test_a_second_run_is_refused_naming_the_process(tmp_path, holder):
    host = os.uname().nodename
    with (
        pytest.raises(ConfigError, match=f"in use: process {holder.pid} on {host} has"),
        alone_in(tmp_path / "run"),
    ):
        pytest.fail("two runs in one folder")


def test_the_lock_of_a_killed_process_is_none(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / NAME).exists()
    with alone_in(tmp_path / "run"):
        pass


def test_nothing_stays_of_a_run_that_wrote_nothing(tmp_path):
    with alone_in(tmp_path / "runs" / "new"):
        assert (tmp_path / "runs" / "new" / NAME).exists()
    assert not (tmp_path / "runs" / "new").exists()


def test_lock_is_removed_and_written_files_stay(tmp_path):
    with alone_in(tmp_path / "run"):
        (tmp_path / "run" / "config.json").write_text("{}")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a /proc")
@pytest.mark.parametrize("folder", ["/proc/run", "/proc/self/a/run"])
def test_a_folder_that_cannot_be_made_is_named(folder):
    sentence = f"config.workdir {folder} cannot be written: .*Choose another"
    with pytest.raises(ConfigError, match=sentence), alone_in(Path(folder)):
        pytest.fail("claimed what cannot be made")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a /proc")
def test_command_says_what_to_do_instead():
    words = {"subject": "The run", "instead": "Name a copy."}
    sentence = "The run /proc/run cannot be written: .*Name a copy.$"
    with (
        pytest.raises(ConfigError, match=sentence),
        alone_in(Path("/proc/run"), **words),
    ):
        pytest.fail("claimed what cannot be made")
