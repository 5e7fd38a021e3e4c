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


def out_of_the_way(path):
    (path / "mine").unlink()
    path.rmdir()


def test_unwritable_report_and_page_are_written_later(tmp_path, capsys):
    run = tmp_path / "run"
    report, page = run / "report.json", run / "report.html"
    version = run / "artifact" / "1"
    assert train(DATA, run, "export", lambda: in_the_way(report)) == 4
    errors = capsys.readouterr().err
    assert f"zoo: {version} is complete, but the report" in errors
    before = artifact.open_verified(version)
    out_of_the_way(report)

    # The same command trains and publishes nothing twice.
    assert train(DATA, run, "export", lambda: in_the_way(page)) == 4
    errors = capsys.readouterr().err
    assert f"zoo: The run is finished and {version} is complete" in errors
    assert f"write it with: zoo report {run}" in errors
    assert artifact.versions(run / "artifact") == [1]
    assert artifact.open_verified(version) == before
    values = json.loads(report.read_text())
    assert values["artifact"] == str(version)
    assert values["test"]["examples"] == 20
    out_of_the_way(page)

    assert zoo_command(["report", str(run)]) == 0
    assert "<title>" in page.read_text()
