"""A search tries the default first, goes on after a kill, and keeps to its time."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.cli import main
from pipelines.config import RunConfig, checked, to_dict
from pipelines.config.flags import parse
from pipelines.errors import ConfigError
from pipelines.runs import lock
from tests.support import warm_python

optuna = pytest.importorskip("optuna")

DATA = "builtin:digits?limit=120"
FIELDS = {
    "backbone": "tiny_image",
    "weights": "none",
    "strategy": "full",
    "batch_size": 64,
}


def tune(folder: Path, **options: object):
    config = RunConfig()
    config.head.epochs = config.finetune.epochs = 1
    known = {"head": config.head, "finetune": config.finetune, **FIELDS, **options}
    return pipelines.tune(DATA, workdir=folder, **known)


def study_in(folder: Path) -> optuna.Study:
    return optuna.load_study(
        study_name="search", storage=f"sqlite:///{folder / 'trials.db'}"
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The folder of a search of two trials, for reading only, and what it found."""
    folder = tmp_path_factory.mktemp("searched") / "search"
    return folder, tune(folder, trials=2)


@pytest.fixture
def copied(searched, tmp_path) -> Path:
    return Path(shutil.copytree(searched[0], tmp_path / "search"))


def test_first_trial_is_the_default_of_the_plan(searched):
    _, found = searched
    first, second = found.trials
    assert first.choices["optimizer"] == "adam"
    assert first.choices["backbone_multiplier"] == 1.0
    assert first.choices["augmentation"] == "auto"
    assert first.choices != second.choices
    assert {one.outcome for one in found.trials} == {"complete"}
    best = max(one.accuracy for one in found.trials)
    chosen = found.trials[found.chosen]
    assert chosen.accuracy == best or "chance" in found.reason


def test_the_best_is_a_config_file_for_training(searched):
    folder, found = searched
    assert found.config_path == folder / "best_config.py"
    flags = [f"--config={found.config_path}", "--config.workdir=runs/best"]
    config = checked(parse(flags))
    chosen = found.trials[found.chosen].choices
    assert config.data == DATA
    assert config.strategy == "full"
    assert config.finetune.block_decay == chosen["block_decay"]
    assert config.augment.strength == chosen["augmentation"]


def test_the_result_says_that_validation_was_used(searched):
    folder, found = searched
    written = json.loads((folder / "tuning.json").read_text())
    assert written["trials"] == [dataclasses.asdict(one) for one in found.trials]
    assert "chosen among 2 trials" in found.warning
    assert "Test was not looked at" in found.warning
    assert found.warning == written["warning"]


def test_killed_search_resumes_and_repeats_lost_trials(copied, searched):
    flags = [f"--config.{name}={value}" for name, value in FIELDS.items()]
    flags += [f"--config.data={DATA}", f"--config.workdir={copied}"]
    flags += ["--config.head.epochs=1", "--config.finetune.epochs=1", "--trials=99"]
    running = warm_python.Popen(
        [sys.executable, "-m", "pipelines.cli", "tune", *flags],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(pipelines.__file__).parents[1])},
    )
    deadline = time.monotonic() + 300
    while not (copied / "trials" / "0002").is_dir() and time.monotonic() < deadline:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    lost = study_in(copied).trials[-1]
    assert lost.state.name == "RUNNING"
    ended = sum(one.state.is_finished() for one in study_in(copied).trials)
    found = tune(copied, trials=ended + 1)
    assert found.trials[:2] == searched[1].trials
    assert (found.trials[lost.number].outcome, found.trials[lost.number].reason) == (
        "failed",
        "interrupted",
    )
    again = found.trials[lost.number + 1]
    assert again.outcome == "complete"
    assert again.choices == lost.params
    assert len(found.trials) == lost.number + 2


def test_no_trial_begins_after_the_deadline(copied, searched):
    found = tune(copied, trials=50, time_budget_seconds=0.01)
    assert found.trials == searched[1].trials


def test_trial_cut_short_by_deadline_counts_for_nothing(searched, tmp_path):
    seconds = searched[1].seconds
    budget = sum(seconds[name] for name in ("obtain", "data", "measure")) + 3
    fields = RunConfig().finetune
    fields.epochs = fields.patience_epochs = 10_000
    started = time.monotonic()
    with pytest.raises(ConfigError, match="No trial ended within"):
        tune(tmp_path / "search", trials=1, time_budget_seconds=budget, finetune=fields)
    assert time.monotonic() - started < 3 * budget + 30
    states = [one.state.name for one in study_in(tmp_path / "search").trials]
    assert states in (["PRUNED"], ["WAITING"])


TARGETS = {
    "multi_label": lambda bright: (bright > 0.5) * 1,
    "ordinal": lambda bright: (3 * bright[:, 0]).astype(np.int64),
}


@pytest.mark.parametrize(
    ("problem", "metric"),
    [("multi_label", "mean average precision"), ("ordinal", "quadratic kappa")],
)
def test_searches_compare_the_metric_of_the_problem(tmp_path, problem, metric):
    rng = np.random.default_rng(0)
    bright = rng.random((80, 3))
    x = np.repeat(np.repeat(bright[:, None] * 200, 9, axis=1)[:, :, None], 9, axis=2)
    labels = TARGETS[problem](bright)
    np.savez(tmp_path / "labels.npz", x=x.astype(np.uint8), y=labels)
    config = RunConfig()
    config.head.epochs = 1
    result = pipelines.tune(
        f"npz:{tmp_path / 'labels.npz'}",
        workdir=tmp_path / "search",
        trials=2,
        head=config.head,
        problem=problem,
        **{**FIELDS, "strategy": "head_only"},
    )
    assert {trial.outcome for trial in result.trials} == {"complete"}
    assert result.trials[0].accuracy > 0.7
    assert f"its {metric} of" in result.warning


def test_changed_data_are_refused(copied):
    study_in(copied).set_user_attr("fingerprint", "another")
    with pytest.raises(ConfigError, match="data have changed"):
        tune(copied, trials=3)


def test_the_folder_of_a_run_is_refused(tmp_path):
    config = dataclasses.replace(RunConfig(), data=DATA, workdir=str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    (tmp_path / "environment.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a run, and this is a search"):
        pipelines.tune(DATA, workdir=tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
def test_run_does_not_take_folder_of_a_search(copied, overwrite):
    config = json.loads((copied / "config.json").read_text())
    same = {name: config[name] for name in ("data", "backbone", "weights")}
    before = sorted(path.name for path in copied.iterdir())
    with pytest.raises(ConfigError, match="holds a search, and this is a run"):
        pipelines.fine_tune(**same, workdir=copied, overwrite=overwrite)
    assert sorted(path.name for path in copied.iterdir()) == before


def test_a_second_search_in_its_folder_is_refused(copied):
    before = sorted(path.name for path in copied.iterdir())
    with (
        lock.alone_in(copied),
        pytest.raises(ConfigError, match=f"in use: process {os.getpid()} on "),
    ):
        tune(copied, trials=3)
    assert sorted(path.name for path in copied.iterdir()) == before


def test_without_optuna_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'zootune\[tune\]'"):
        tune(tmp_path / "search")


def test_wrong_flags_are_refused_at_once(tmp_path, capsys):
    good = [f"--config.data={DATA}", f"--config.workdir={tmp_path / 'search'}"]
    assert main(["tune", *good, "--trials=0"]) == 2
    assert "give 1 or more" in capsys.readouterr().err
    assert main(["tune", *good, "--config.no_such=1"]) == 2
    assert "no config.no_such" in capsys.readouterr().err
    assert not (tmp_path / "search").exists()
