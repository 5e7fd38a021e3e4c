"""A command that was killed, or told to end, and was given again."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines import config as configs
from pipelines.errors import ConfigError
from pipelines.run import run
from pipelines.runs.result import Run
from tests.support import warm_python

pytestmark = [pytest.mark.faults, pytest.mark.slow]

FIELDS = {
    "data": "builtin:digits?limit=120",
    "backbone": "tiny_image",
    "weights": "none",
    "strategy": "full",
    "input_size_px": 16,
    "batch_size": 16,
    "checkpoint_seconds": 0,
}
GROUPS = {
    "head": {"epochs": 2, "dropout": 0.3},
    "finetune": {"epochs": 20, "patience_epochs": 20, "guard": False},
    "augment": {"strength": "none"},
}
COMMAND_LINE = "import sys; from pipelines.cli import main; sys.exit(main())"


def flags(workdir: Path) -> list[str]:
    grouped = {f"{g}.{k}": v for g, fields in GROUPS.items() for k, v in fields.items()}
    values = {**FIELDS, **grouped, "workdir": workdir}
    return [f"--config.{name}={value}" for name, value in values.items()]


def train(workdir: Path, **fields) -> Run:
    """The same as the command, in this process."""
    config = configs.from_fields({**FIELDS, "workdir": str(workdir), **fields})
    for group, values in GROUPS.items():
        for name, value in values.items():
            setattr(getattr(config, group), name, value)

    return run(config)


def told(folder: Path) -> tuple[dict, list[dict]]:
    """The report and the history, without what depends on the clock or the process."""
    report = json.loads((folder / "report.json").read_text())
    for name in ("seconds", "images_per_second", "peak_memory_bytes"):
        del report[name]
    for phase in report["phases"]:
        del phase["seconds"], phase["images_per_second"]
    del report["compute"]["reason"]  # says how long training may take
    report["artifact"] = Path(report["artifact"]).name
    lines = (folder / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    for line in history:
        del line["seconds"]
    return report, history


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happened to: its weights, and what it told."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return train(folder).model.get_weights(), told(folder)


def start(folder: Path) -> subprocess.Popen:
    """The command, once it has trained an epoch of the last phase or more."""
    history = folder / "history.jsonl"
    known = history.read_text() if history.is_file() else ""
    process = warm_python.Popen(
        [sys.executable, "-c", COMMAND_LINE, "train", *flags(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 180
    while not (history.is_file() and "fine_tune" in _after(known, history.read_text())):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it never came so far"
        time.sleep(0.01)
    return process


def _after(known: str, text: str) -> str:
    return text[len(known) :]


def test_run_ended_twice_resumes_to_same_result(tmp_path, whole, caplog):
    folder = tmp_path / "run"
    process = start(folder)
    with pytest.raises(ConfigError, match=f"in use: process {process.pid} on "):
        train(folder)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert errors.splitlines()[-1] == "zoo: terminated"
    assert "Traceback" not in errors

    process = start(folder)
    time.sleep(random.random() * 0.1)
    process.kill()
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert "resuming from a checkpoint: 1 phases done" in printed
    assert not (folder / "report.json").exists()

    with pytest.raises(ConfigError, match="another run, .* not finished: seed differ"):
        train(folder, seed=1)
    with caplog.at_level("INFO", "zootune"):
        resumed = train(folder)
    assert "resuming from a checkpoint: 1 phases done" in caplog.text
    weights, wanted = whole
    for one, other in zip(resumed.model.get_weights(), weights, strict=True):
        assert np.array_equal(one, other)
    assert told(folder) == wanted
    assert names_in(folder / "artifact") == ["1"]
    assert names_in(folder / "checkpoints") == ["backbone.weights.h5"]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
