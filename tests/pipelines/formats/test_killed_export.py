"""F1: exports that are killed anywhere leave complete versions, and nothing else."""

import os
from pathlib import Path

import pytest

from pipelines.formats.publishing import export_run
from pipelines.serving import artifact, publication
from tests.faults.kills import IS_LONG, killed_at_random

pytestmark = pytest.mark.faults

COMMANDS = """
import sys
from pathlib import Path
from pipelines.formats.publishing import export_run
while True:
    export_run(Path(sys.argv[1]), Path(sys.argv[2]))
    print("exported", flush=True)
"""
STAGES = """
import sys
from pathlib import Path
from pipelines.problems.registry import problem_of
from pipelines.stages.calibrate import calibrate_model
from pipelines.stages.export import export
from tests.faults.runs import make_parts
parts = make_parts()
model, splits = parts.model(), parts.splits
calibrated = calibrate_model(model, splits, parts.config.calibration, batch_size=15)
while True:
    print("to export", flush=True)
    export(
        model,
        calibrated.calibration,
        splits.test,
        Path(sys.argv[1]),
        problem=problem_of(splits),
        facts={"data": {}, "plan": {}, "metrics": {}},
    )
"""
HOUR_SECONDS = 3600


@pytest.fixture
def base(tmp_path) -> Path:
    return tmp_path / "models"


def complete_versions(base: Path) -> list[int]:
    """The versions of a base, every file of each verified."""
    for path in base.iterdir():
        if path.name.isdigit():
            artifact.open_verified(path)
        else:
            assert path.name.startswith(".unpublished-")
    return artifact.versions(base)


def left_in(base: Path) -> list[Path]:
    return [path for path in base.iterdir() if not path.name.isdigit()]


def make_older(folder: Path, seconds: float) -> None:
    for path in (folder, *folder.rglob("*")):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def test_a_command_that_is_killed_leaves_complete_versions(finished_run, base):
    kills = killed_at_random(
        COMMANDS, finished_run, base, times=20 if IS_LONG else 6, within_seconds=0.1
    )
    known, left = 0, []
    for _ in kills:
        left += left_in(base)  # gone with the next one
        found = complete_versions(base)
        assert found == list(range(1, len(found) + 1))
        assert len(found) > known
        known = len(found)
    assert left, "no export was killed while it wrote"
    export_run(finished_run, base)
    assert complete_versions(base)[-1] == known + 1


@pytest.mark.slow
def test_a_stage_that_is_killed_leaves_complete_versions(base):
    for _ in killed_at_random(
        STAGES, base, times=20 if IS_LONG else 1, within_seconds=8
    ):
        complete_versions(base)


def test_old_remains_of_exports_go(finished_run, base):
    list(killed_at_random(COMMANDS, finished_run, base, times=1, within_seconds=0))
    for name in (".unpublished-old", ".unpublished-young", "notes"):
        (base / name / "variables").mkdir(parents=True)
        (base / name / "variables" / "part").write_bytes(b"half")
    for name in (".unpublished-old", "notes"):
        make_older(base / name, HOUR_SECONDS + 60)
    with publication.unpublished(base) as held:
        make_older(held, HOUR_SECONDS + 60)
        export_run(finished_run, base)
        assert held.is_dir(), "somebody was writing there"
    assert not (base / ".unpublished-old").exists()
    assert (base / ".unpublished-young" / "variables" / "part").is_file()
    assert (base / "notes" / "variables" / "part").is_file()
    make_older(base / ".unpublished-young", HOUR_SECONDS + 60)
    # A part of it that was written just now counts for all.
    os.utime(base / ".unpublished-young" / "variables" / "part")
    export_run(finished_run, base)
    assert (base / ".unpublished-young").is_dir()


def test_link_among_remains_is_not_followed(finished_run, base, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    base.mkdir()
    link = base / ".unpublished-link"
    link.symlink_to(precious)
    os.utime(link, (0, 0), follow_symlinks=False)
    os.utime(precious / "file", (0, 0))
    os.utime(precious, (0, 0))
    export_run(finished_run, base)
    assert (precious / "file").read_text() == "mine"
