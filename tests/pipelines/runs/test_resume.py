"""What a run may go on from, and what it has exported already."""

import dataclasses
import hashlib
import json
import shutil

import pytest

from pipelines.errors import ArtifactError, ConfigError
from pipelines.planning.backbones.choice import BackboneChoice, to_dict
from pipelines.planning.detectors import DetectorScore
from pipelines.runs import folder as run_folder
from pipelines.runs.resume import choice_before, exported_before, progress_of
from pipelines.serving import artifact
from tests.support.small_runs import config_for, without_later


def test_the_same_run_goes_on(saved, prepared):
    progress = progress_of(config_for(saved.path), prepared, saved)
    assert progress.was_saved
    assert progress.finished == [{"name": "head"}]


def test_how_often_it_saves_may_change(saved, prepared):
    config = config_for(saved.path, checkpoint_seconds=300.0)
    assert progress_of(config, prepared, saved).was_saved


def test_scores_of_detectors_may_differ_and_methods_not(saved, prepared):
    config, plan = config_for(saved.path), prepared.plan

    def with_head(**fields):
        head = dataclasses.replace(plan.head, **fields)
        return dataclasses.replace(prepared, plan=dataclasses.replace(plan, head=head))

    scored = with_head(detectors=(DetectorScore("pca", 0.9, 0.02),))
    assert progress_of(config, scored, saved).was_saved
    with pytest.raises(ConfigError, match=r"plan\.head\.detector differ"):
        progress_of(config, with_head(detector="pca"), saved)


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


@pytest.fixture
def saved_by_older_version(saved):
    """A checkpoint of fewer decisions, in old words, with the precision beside them."""
    (path,) = saved.training_dir.glob("0*.json")
    content = json.loads(path.read_bytes().partition(b"\n")[2])
    about = content["values"]["about"]
    about["precision"] = about["plan"]["precision"]
    about["plan"] = without_later(about["plan"]) | {"reason": "in older words"}
    del about["config"]["folds"], about["config"]["finetune"]["momentum"]
    body = json.dumps(content).encode()
    digest = hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(digest + b"\n" + body)
    return saved


def test_a_run_of_an_older_version_goes_on(saved_by_older_version, prepared):
    folder = saved_by_older_version
    assert progress_of(config_for(folder.path), prepared, folder).was_saved
    others = [
        _other_plan(config_for(folder.path), prepared),
        (config_for(folder.path, imbalance="weights"), prepared),
        (config_for(folder.path), _in_bfloat16(prepared)),
    ]
    for config, other in others:
        with pytest.raises(ConfigError, match="another run, .* was not finished"):
            progress_of(config, other, folder)


def _in_bfloat16(prepared):
    plan = dataclasses.replace(prepared.plan, precision="mixed_bfloat16")
    return dataclasses.replace(prepared, plan=plan)


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
def test_run_killed_after_export_exports_only_once(finished_run, tmp_path):
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


def test_the_backbone_of_before_is_read(saved, caplog):
    config = config_for(saved.path, weights="default", backbone="auto", input_size_px=0)
    assert choice_before(config, saved) is None
    choice = BackboneChoice("tiny_image", 16, "It was the best.")
    saved.write("backbone.json", to_dict(choice))
    assert choice_before(config, saved) == choice
    anew = dataclasses.replace(config, overwrite=True)
    assert choice_before(anew, saved) is None
    saved.write_text("backbone.json", "{")
    assert choice_before(config, saved) is None
    assert "it is chosen anew" in caplog.text
