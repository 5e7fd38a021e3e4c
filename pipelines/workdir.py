"""The run folder: who may write to it, and the files that a run leaves."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

from pipelines import config as configs
from pipelines.config import RunConfig
from pipelines.errors import ConfigError

_CONFIG = "config.json"
_REPORT = "report.json"
# What a run writes besides its artifact. Published versions are never removed.
_OWN = (
    _CONFIG,
    "environment.json",
    "plan.json",
    "history.jsonl",
    _REPORT,
    "tensorboard",
)


@dataclasses.dataclass(frozen=True)
class Workdir:
    """A folder that a run may write to."""

    path: Path

    @property
    def artifact_base(self) -> Path:
        return self.path / "artifact"

    @property
    def history_path(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def tensorboard_dir(self) -> Path:
        return self.path / "tensorboard"

    def begin(self, config: RunConfig, environment: dict[str, Any]) -> None:
        """Clears what an earlier run left, but its artifacts, and writes the config."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name in _OWN:
            old = self.path / name
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        self.write("environment.json", environment)
        self.write(_CONFIG, configs.to_dict(config))

    def write(self, name: str, values: dict[str, Any]) -> None:
        """Writes a JSON file that is either whole or not there."""
        temporary = self.path / f".{name}.new"
        with temporary.open("w") as stream:
            stream.write(json.dumps(values, indent=2, allow_nan=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.path / name)

    def finish(self, report: dict[str, Any]) -> None:
        """Writes the report, which is what marks a run as finished."""
        self.write(_REPORT, report)


def claim(config: RunConfig) -> Workdir:
    """The folder of the config, if this run may write to it. Changes nothing.

    A run that was interrupted starts over: the same seed leads to the same result.

    Raises:
        ConfigError: if it holds a finished run, another run, or foreign files.
    """
    path = Path(config.workdir)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"config.workdir {path} is a file. Name a folder.")
    if not path.exists() or not any(path.iterdir()):
        return Workdir(path)
    if not (path / _CONFIG).is_file():
        raise ConfigError(
            f"{path} is not empty and is not the folder of a run: it has no {_CONFIG}."
            " Nothing was touched. Choose another config.workdir."
        )
    if config.overwrite:
        return Workdir(path)
    if (path / _REPORT).is_file():
        raise ConfigError(
            f"{path} holds a finished run. Choose another config.workdir, or set"
            " config.overwrite to replace it (its artifacts stay)."
        )
    different = _different_fields(path / _CONFIG, config)
    if different:
        raise ConfigError(
            f"{path} holds another run, which was not finished: {different} differ."
            " Choose another config.workdir, or set config.overwrite to replace it."
        )
    return Workdir(path)


def _different_fields(path: Path, config: RunConfig) -> str:
    ours = json.loads(json.dumps(configs.to_dict(config)))
    try:
        theirs = json.loads(path.read_text())
    except ValueError:
        return "unreadable config.json, so all fields"
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return ", ".join(names)
