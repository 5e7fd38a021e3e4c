"""What a run may go on from, and what it has exported already."""

import dataclasses
import json
import shutil

import pytest

from pipelines.config import RunConfig, checked
from pipelines.data.reference import DatasetRef
from pipelines.errors import ArtifactError, ConfigError
from pipelines.runs import folder as run_folder
from pipelines.runs.prepare import prepare
from pipelines.runs.report import describe, restore_lost
from pipelines.runs.resume import exported_before, progress_of
from pipelines.runtime.clock import Clock
from pipelines.serving import artifact

ENVIRONMENT = {"python": "3"}


def config_for(folder, **fields) -> RunConfig:
    return checked(
        RunConfig(
            data="builtin:digits?limit=120",
            backbone="tiny_image",
            weights="none",
            strategy="head_only",
            input_size_px=16,
            workdir=str(folder),
            **fields,
        )
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    config = config_for(tmp_path_factory.mktemp("nothing"))
    return prepare(config, DatasetRef.parse(config.data), Clock())


@pytest.fixture
def saved(tmp_path, prepared):
    """The folder of a run that was cut short after its first phase."""
    config = config_for(tmp_path / "run")
    folder = run_folder.RunFolder(tmp_path / "run")
    folder.begin(config, ENVIRONMENT)
    progress = progress_of(
        dataclasses.replace(config, checkpoint_seconds=0.0), prepared, folder
    )
    assert not progress.was_saved
    progress.phase_ends({"name": "head"}, prepared.base.model)
    return folder


def test_the_same_run_goes_on(saved, prepared):
    progress = progress_of(config_for(saved.path), prepared, saved)
    assert progress.was_saved
    assert progress.finished == [{"name": "head"}]


def test_how_often_it_saves_may_change(saved, prepared):
    config = config_for(saved.path, checkpoint_seconds=300.0)
    assert progress_of(config, prepared, saved).was_saved


def test_overwrite_starts_anew(saved, prepared):
    config = config_for(saved.path, overwrite=True)
    assert not progress_of(config, prepared, saved).was_saved


def _other_config(config, prepared):
    return dataclasses.replace(config, batch_size=64), prepared


def _other_data(config, prepared):
    info = dataclasses.replace(prepared.splits.info, fingerprint="another")
    splits = dataclasses.replace(prepared.splits, info=info)
    return config, dataclasses.replace(prepared, splits=splits)


def _other_plan(config, prepared):
    (phase,) = prepared.plan.phases
    phase = dataclasses.replace(phase, epochs=phase.epochs + 1)
    plan = dataclasses.replace(prepared.plan, phases=(phase,))
    return config, dataclasses.replace(prepared, plan=plan)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_other_config, "config.batch_size"),
        (_other_data, "data.fingerprint"),
        (_other_plan, r"plan\.phases\.0\.epochs"),
    ],
)
def test_another_run_is_refused_by_what_differs(saved, prepared, change, named):
    before = sorted(saved.path.rglob("*"))
    config, other = change(config_for(saved.path), prepared)
    with pytest.raises(ConfigError, match=f"another run, .* not finished: {named} di"):
        progress_of(config, other, saved)
    assert sorted(saved.path.rglob("*")) == before


def test_other_versions_are_told(saved, prepared, monkeypatch, caplog):
    monkeypatch.setattr(
        "pipelines.runtime.environment.installed_versions", lambda: {"keras": "3.99"}
    )
    assert progress_of(config_for(saved.path), prepared, saved).was_saved
    assert "versions.keras" in caplog.text


@pytest.mark.faults
def test_checkpoints_that_are_all_broken_end_the_command(saved, prepared):
    for path in saved.training_dir.glob("0*.json"):
        path.write_bytes(b"")
    with pytest.raises(ArtifactError, match="All checkpoints of the run are broken"):
        progress_of(config_for(saved.path), prepared, saved)
    config = config_for(saved.path, overwrite=True)
    assert not progress_of(config, prepared, saved).was_saved


@pytest.mark.faults
def test_a_run_killed_after_its_export_does_not_export_twice(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "report.json").unlink()
    (run / "checkpoints" / "training").mkdir()
    before = run / "checkpoints" / "training" / "versions_before.json"
    before.write_text(json.dumps({"versions": []}))
    folder = run_folder.RunFolder(run)
    manifest = artifact.read_manifest(run / "artifact" / "1")
    facts = {name: getattr(manifest, name) for name in ("data", "plan", "metrics")}
    assert exported_before(folder, facts).path == run / "artifact" / "1"
    # Of other weights, of an earlier run, or damaged.
    assert exported_before(folder, {**facts, "metrics": {}}) is None
    before.write_text(json.dumps({"versions": [1]}))
    assert exported_before(folder, facts) is None
    before.write_text(json.dumps({"versions": []}))
    (run / "artifact" / "1" / "saved_model.pb").write_bytes(b"")
    assert exported_before(folder, facts) is None


# What broke, or was lost, while the run was cut short.
BROKEN = {
    "plan.json": "{",
    "compute.json": "[]",
    "environment.json": "",
    "data_card.json": None,
    "checkpoints/training/versions_before.json": "broken",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_broke_is_noticed_first_and_written_anew(
    saved, prepared, caplog, name
):
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
