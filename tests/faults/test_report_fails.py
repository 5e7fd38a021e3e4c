"""F8: a report that cannot be written costs nothing of the model."""

import json

import pytest

from pipelines.cli import main as zoo_command
from pipelines.serving import artifact
from tests.faults.stages import train

pytestmark = [pytest.mark.faults, pytest.mark.slow]

DATA = "builtin:digits?limit=120"


def in_the_way(path):
    """What no file can take the place of."""
    path.mkdir()
    (path / "mine").write_text("mine")


def test_a_page_that_cannot_be_written_is_written_later(tmp_path, capsys):
    run = tmp_path / "run"
    page = run / "report.html"
    assert train(DATA, run, "export", lambda: in_the_way(page)) == 4
    said = capsys.readouterr().err
    assert f"zoo: The run is finished and {run / 'artifact' / '1'} is complete" in said
    assert f"write it with: zoo report {run}" in said
    artifact.open_verified(run / "artifact" / "1")
    assert json.loads((run / "report.json").read_text())["test"]["examples"] == 20
    (page / "mine").unlink()
    page.rmdir()
    assert zoo_command(["report", str(run)]) == 0
    assert "<title>" in page.read_text()


def test_a_report_that_cannot_be_written_publishes_nothing_twice(tmp_path, capsys):
    run = tmp_path / "run"
    report = run / "report.json"
    assert train(DATA, run, "export", lambda: in_the_way(report)) == 4
    said = capsys.readouterr().err
    assert f"zoo: {run / 'artifact' / '1'} is complete, but the report" in said
    before = artifact.open_verified(run / "artifact" / "1")
    (report / "mine").unlink()
    report.rmdir()
    assert train(DATA, run, "export", lambda: None) == 0
    assert artifact.versions(run / "artifact") == [1]
    assert artifact.open_verified(run / "artifact" / "1") == before
    assert json.loads(report.read_text())["artifact"] == str(run / "artifact" / "1")


# What breaks while the run is cut short, and what it is found out by at the end.
BROKEN = {
    "plan.json": "{",
    "compute.json": "[]",
    "environment.json": "",
    "checkpoints/training/versions_before.json": "broken",
}


def test_files_that_broke_are_noticed_first_and_written_anew(tmp_path, capsys, caplog):
    run = tmp_path / "run"

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert train(DATA, run, "export", interrupt) == 130
    before = {name: (run / name).read_text() for name in BROKEN}
    for name, content in BROKEN.items():
        (run / name).write_text(content)
    said = len(caplog.records)
    assert train(DATA, run, "finetune", lambda: None) == 0
    # Before anything goes on.
    messages = [record.getMessage() for record in caplog.records[said:]]
    (at,) = [i for i, one in enumerate(messages) if "] head: " in one]
    warned = messages[:at]
    for name in BROKEN:
        assert [one for one in warned if f"{run / name} cannot be" in one], name
    assert json.loads((run / "plan.json").read_text())["action"] == "full"
    for name in ("plan.json", "environment.json"):
        assert (
            json.loads((run / name).read_text()).keys()
            == json.loads(before[name]).keys()
        )
    assert artifact.versions(run / "artifact") == [1]
    assert "<title>" in (run / "report.html").read_text()
