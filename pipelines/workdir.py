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
# What a run writes besides config, report and artifact. Published versions stay.
_REPLACED = (
    "environment.json",
    "data_card.json",
    "data_card.md",
    "plan.json",
    "depths.png",
    "history.jsonl",
    "report.html",
    "checkpoints",
    "tensorboard",
)
# They say where and whether, and nothing about the result.
_NOT_COMPARED = ("workdir", "overwrite")


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
    def cache_dir(self) -> Path:
        """What can be computed again; it outlives a run that starts over."""
        return self.path / "cache"

    @property
    def checkpoints_dir(self) -> Path:
        return self.path / "checkpoints"

    @property
    def tensorboard_dir(self) -> Path:
        return self.path / "tensorboard"

    def begin(self, config: RunConfig, environment: dict[str, Any]) -> None:
        """Clears what an earlier run left, but its artifacts, and writes the config.

        Wherever this is cut short, the folder is that of an unfinished run: the report
        goes first, and a config is there from the first file to the last.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for name in (_REPORT, *_REPLACED):
            old = self.path / name
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        self.write(_CONFIG, configs.to_dict(config))
        self.write("environment.json", environment)

    def write(self, name: str, values: dict[str, Any]) -> None:
        """Writes a JSON file that is either whole or not there."""
        self.write_text(name, json.dumps(values, indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Writes a file, UTF-8, that is either whole or not there."""
        self.write_bytes(name, text.encode("utf-8"))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes a file that is either whole or not there."""
        temporary = self.path / _unfinished(name)
        with temporary.open("wb") as stream:
            stream.write(content)
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
    _check_writable(path)
    # A config that was cut short while it was written leaves its temporary file.
    if not path.exists() or {p.name for p in path.iterdir()} <= {_unfinished(_CONFIG)}:
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


def _unfinished(name: str) -> str:
    return f".{name}.new"


def _check_writable(path: Path) -> None:
    """Raises `ConfigError` unless a file in this folder, or the folder, can be made."""
    nearest = next(
        folder for folder in (path, *path.absolute().parents) if folder.exists()
    )
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(
            f"config.workdir {path} cannot be written: {nearest} is not a folder that"
            " takes files from you. Choose another config.workdir."
        )


def _different_fields(path: Path, config: RunConfig) -> str:
    try:
        theirs = _flat(json.loads(path.read_text()))
    except (ValueError, AttributeError):
        return "config.json cannot be read, so all fields"
    ours = _flat(json.loads(json.dumps(configs.to_dict(config))))
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return ", ".join(name for name in names if name not in _NOT_COMPARED)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The same values under dotted names: `head.dropout`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
