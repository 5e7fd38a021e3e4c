import json
import os
from pathlib import Path

import pytest

from pipelines.config import FinetuneConfig, RunConfig
from pipelines.errors import ConfigError
from pipelines.runs import folder as run_folder

ENVIRONMENT = {"python": "3"}
REPORT = {"test": {"accuracy": 1.0}}
VERSIONS = "checkpoints/training/versions_before.json"


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "runs" / "photos"


def config_for(folder: Path, **fields) -> RunConfig:
    return RunConfig(data="dir:photos", workdir=str(folder), **fields)


def interrupted(folder: Path, **fields) -> Path:
    config = config_for(folder, **fields)
    run_folder.claim(config).begin(config, ENVIRONMENT)
    (folder / "history.jsonl").write_text("{}\n")
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events").write_text("old")
    (folder / "predictions.jsonl").write_text("old")
    return folder


def finished(folder: Path, **fields) -> Path:
    interrupted(folder, **fields)
    version = folder / "artifact" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("weights")
    run_folder.RunFolder(folder).finish(REPORT)
    return folder


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, str]:
    files = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert files
    return files


def test_claim_of_new_folder_makes_nothing(folder):
    assert run_folder.claim(config_for(folder)).path == folder
    assert not folder.parent.exists()


def test_an_empty_folder_is_claimed(folder):
    folder.mkdir(parents=True)
    assert run_folder.claim(config_for(folder)).path == folder


def test_begin_makes_folder_and_records_config_and_environment(folder):
    config = config_for(folder, seed=3)
    run_folder.claim(config).begin(config, ENVIRONMENT)
    assert json.loads((folder / "config.json").read_text())["seed"] == 3
    assert json.loads((folder / "environment.json").read_text()) == ENVIRONMENT
    assert names_in(folder) == {"config.json", "environment.json", "checkpoints"}


def test_finish_writes_the_report(folder):
    config = config_for(folder)
    claimed = run_folder.claim(config)
    claimed.begin(config, ENVIRONMENT)
    claimed.finish(REPORT)
    assert json.loads((folder / "report.json").read_text()) == REPORT


def test_a_finished_run_is_refused_and_untouched(folder):
    before = contents(finished(folder))
    with pytest.raises(ConfigError, match="holds a finished run.*config.overwrite"):
        run_folder.claim(config_for(folder))
    assert contents(folder) == before


def test_overwrite_replaces_finished_run_but_keeps_artifacts(folder):
    finished(folder)
    config = config_for(folder, seed=3, overwrite=True)
    claimed = run_folder.claim(config)
    assert (folder / "report.json").is_file(), "a claim changes nothing"
    claimed.begin(config, ENVIRONMENT)
    assert sorted(contents(folder)) == [
        "artifact/1/saved_model.pb",
        VERSIONS,
        "config.json",
        "environment.json",
    ]
    assert json.loads((folder / "config.json").read_text())["seed"] == 3


def test_interrupted_run_resumes_with_the_same_config(folder):
    interrupted(folder)
    config = config_for(folder)
    run_folder.claim(config).begin(config, ENVIRONMENT)
    assert sorted(contents(folder)) == [VERSIONS, "config.json", "environment.json"]


def test_interrupted_run_of_an_older_version_resumes(folder):
    path = interrupted(folder) / "config.json"
    values = json.loads(path.read_text())
    del values["folds"], values["auto"], values["finetune"]["guard"]
    path.write_text(json.dumps({**values, "backbone": "efficientnet_lite0"}))
    assert run_folder.claim(config_for(folder)).path == folder
    unguarded = config_for(folder, finetune=FinetuneConfig(guard=False))
    assert run_folder.claim(unguarded).path == folder
    with pytest.raises(ConfigError, match="not finished: folds differ"):
        run_folder.claim(config_for(folder, folds=3))


def test_interrupted_run_resumes_by_another_path_spelling(folder, monkeypatch):
    interrupted(folder, overwrite=True)
    monkeypatch.chdir(folder.parent)
    assert run_folder.claim(config_for(Path("photos"))).path == Path("photos")


def test_unfinished_run_refuses_other_config_and_names_fields(folder):
    before = contents(interrupted(folder))
    other = config_for(folder, seed=3, finetune=FinetuneConfig(epochs=99))
    with pytest.raises(
        ConfigError,
        match=r"another run, .* not finished: seed, finetune\.epochs differ",
    ):
        run_folder.claim(other)
    assert contents(folder) == before
    other.overwrite = True
    assert run_folder.claim(other).path == folder


@pytest.mark.parametrize("text", ["", "{", "[]", '{"head": 3}', "{}"])
def test_a_config_that_cannot_be_compared_is_refused(folder, text):
    (interrupted(folder) / "config.json").write_text(text)
    with pytest.raises(ConfigError, match="another run, .* not finished: .* differ"):
        run_folder.claim(config_for(folder))
    assert run_folder.claim(config_for(folder, overwrite=True)).path == folder


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_of_other_files_is_refused_and_untouched(folder, overwrite):
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("three years of work")
    with pytest.raises(
        ConfigError, match="not the folder of a run.*Nothing was touched"
    ):
        run_folder.claim(config_for(folder, overwrite=overwrite))
    assert contents(folder) == {"thesis.txt": "three years of work"}


def test_overwrite_leaves_files_that_no_run_wrote(folder):
    (finished(folder) / "notes.txt").write_text("mine")
    config = config_for(folder, overwrite=True)
    run_folder.claim(config).begin(config, ENVIRONMENT)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_file_is_no_workdir(folder):
    folder.parent.mkdir()
    folder.write_text("mine")
    with pytest.raises(ConfigError, match=r"photos is a file\. Name a folder"):
        run_folder.claim(config_for(folder, overwrite=True))
    with pytest.raises(
        ConfigError, match=r"cannot be written: .*photos is not a folder"
    ):
        run_folder.claim(config_for(folder / "run"))
    assert folder.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_no_workdir(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="locked is not a folder that takes files"):
        run_folder.claim(config_for(locked / "run"))
    locked.chmod(0o700)
    assert run_folder.claim(config_for(locked / "run")).path == locked / "run"


def test_failed_write_leaves_the_old_file_whole(folder):
    claimed = run_folder.RunFolder(finished(folder))
    with pytest.raises(ValueError, match="JSON"):
        claimed.finish({"loss": float("nan")})
    assert json.loads((folder / "report.json").read_text()) == REPORT
    claimed.finish({"loss": 0.5})
    assert json.loads((folder / "report.json").read_text()) == {"loss": 0.5}


def test_config_cut_short_in_writing_leaves_usable_folder(folder):
    folder.mkdir(parents=True)
    (folder / ".config.json.new").write_text('{"da')
    config = config_for(folder)
    run_folder.claim(config).begin(config, ENVIRONMENT)
    assert names_in(folder) == {"config.json", "environment.json", "checkpoints"}


def test_begin_cut_short_anywhere_leaves_unfinished_run(folder, monkeypatch):
    """Every step of `begin` on a finished run is made the last one, in turn."""
    steps = 0
    while True:
        finished(folder / str(steps))
        config = config_for(folder / str(steps), overwrite=True)
        claimed = run_folder.claim(config)
        if _completes(claimed, config, steps=steps, monkeypatch=monkeypatch):
            break
        assert (claimed.path / "config.json").is_file()
        assert not (claimed.path / "report.json").exists() or steps == 0
        assert run_folder.claim(config).path == claimed.path
        steps += 1
    assert steps > 5


def _completes(
    claimed: run_folder.RunFolder, config: RunConfig, *, steps: int, monkeypatch
) -> bool:
    """Whether `begin` needs no more than so many removals and renames."""
    left = steps

    def counted(operation):
        def call(*arguments, **options):
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return operation(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("unlink", "replace"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        try:
            claimed.begin(config, ENVIRONMENT)
        except KeyboardInterrupt:
            return False
    return True


def test_versions_before_excludes_those_of_an_interrupted_run(folder):
    claimed = run_folder.RunFolder(finished(folder))
    config = config_for(folder, overwrite=True)
    claimed.begin(config, ENVIRONMENT)
    assert claimed.versions_before() == {1}
    (folder / "artifact" / "2").mkdir()
    config.overwrite = False
    claimed.begin(config, ENVIRONMENT)
    assert claimed.versions_before() == {1}
    config.overwrite = True
    claimed.begin(config, ENVIRONMENT)
    assert claimed.versions_before() == {1, 2}


def test_finished_run_keeps_no_training_state(folder):
    finished(folder)
    assert (folder / "checkpoints").is_dir()
    assert not run_folder.RunFolder(folder).training_dir.exists()


def test_locked_folder_is_exclusive_and_left_unchanged(folder):
    config = config_for(folder)
    with run_folder.locked(config) as claimed:
        assert claimed.path == folder
        with (
            pytest.raises(ConfigError, match=f"in use: process {os.getpid()} on "),
            run_folder.locked(config),
        ):
            pytest.fail("claimed twice")
    assert not folder.exists()
