"""The files of a run: described before training, restored if they broke."""

import json

import pytest

from pipelines.runs.report import describe, restore_lost
from tests.support.small_runs import ENVIRONMENT, without_later

# What broke, or was lost, while the run was cut short.
BROKEN = {
    "plan.json": "{",
    "compute.json": "[]",
    "environment.json": "",
    "data_card.json": None,
    "checkpoints/training/versions_before.json": "broken",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_noticed_first_and_rewritten(saved, prepared, caplog, name):
    describe(saved, prepared, seed=0)
    (saved.artifact_base / "3").mkdir(parents=True)
    path, content = saved.path / name, BROKEN[name]
    whole = json.loads(path.read_text())
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    restore_lost(saved, prepared, ENVIRONMENT, seed=0)
    (warning,) = [one.getMessage() for one in caplog.records]
    assert warning.startswith(f"{path} cannot be used (")
    assert warning.endswith("it is written anew.")
    found = json.loads(path.read_text())
    if name.endswith("versions_before.json"):
        # Which are older is not known any more, so none is taken for the run's own.
        assert found == {"versions": [3]}
        assert saved.versions_before() == {3}
    else:
        assert found == whole
    caplog.clear()
    restore_lost(saved, prepared, ENVIRONMENT, seed=0)
    assert not caplog.records


def test_a_plan_of_an_older_version_is_completed(saved, prepared):
    describe(saved, prepared, seed=0)
    whole = json.loads((saved.path / "plan.json").read_text())
    saved.write("plan.json", without_later(whole))
    restore_lost(saved, prepared, ENVIRONMENT, seed=0)
    assert json.loads((saved.path / "plan.json").read_text()) == whole
