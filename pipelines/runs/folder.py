"""The run folder: who may write to it, and the files that a run leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipelines import config as configs
from pipelines.config import RunConfig
from pipelines.config.saved import with_later_fields
from pipelines.display.records import differences
from pipelines.errors import ConfigError
from pipelines.report import predictions
from pipelines.report.predictions import PredictionRow
from pipelines.runs import lock
from pipelines.serving import artifact
from zoo.registry import DEFAULTS
from zoo.storage import durable

_CONFIG = "config.json"
_REPORT = "report.json"
ENVIRONMENT = "environment.json"
_LINE = 88
# The versions that were published before this run.
_VERSIONS = "versions_before.json"
# A search always has this file, and a run never.
TRIALS = "trials.db"
_MARKS = {"run": ENVIRONMENT, "search": TRIALS}
# The files of a run besides config, report and artifact. Published versions stay.
_REPLACED = (
    ENVIRONMENT,
    "data_card.json",
    "data_card.md",
    "plan.json",
    "compute.json",
    "backbone.json",
    "depths.png",
    "history.jsonl",
    "gallery.json",
    "gallery",
    predictions.FILE_NAME,
    artifact.MODEL_CARD,
    "report.html",
    "checkpoints",
    "tensorboard",
)
# These fields do not change the result.
NOT_COMPARED = (
    "workdir",
    "overwrite",
    "checkpoint_seconds",
    "distribution",
    "profile",
)

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A folder that a run may write to."""

    path: Path

    @property
    def artifact_base(self) -> Path:
        """The folder of the published versions."""
        return self.path / "artifact"

    @property
    def history_path(self) -> Path:
        """The file with a line of measures for each epoch."""
        return self.path / "history.jsonl"

    @property
    def cache_dir(self) -> Path:
        """Values that can be computed again; they outlive a run that starts over."""
        return self.path / "cache"

    @property
    def checkpoints_dir(self) -> Path:
        """The folder of the trained backbone and of `training_dir`."""
        return self.path / "checkpoints"

    @property
    def training_dir(self) -> Path:
        """The checkpoints that an interrupted run resumes from."""
        return self.checkpoints_dir / "training"

    @property
    def tensorboard_dir(self) -> Path:
        """The folder of the TensorBoard logs."""
        return self.path / "tensorboard"

    def begin(self, config: RunConfig, environment: dict[str, Any]) -> None:
        """Clears what an earlier run left, but its artifacts, and writes the config.

        Wherever this is cut short, the folder holds an unfinished run: the report
        goes first, and a config is there from the first file to the last.
        """
        before = self._versions_before(config)
        self.path.mkdir(parents=True, exist_ok=True)
        for name in (_REPORT, *_REPLACED):
            old = self.path / name
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        self.write(_CONFIG, configs.to_dict(config))
        self.training_dir.mkdir(parents=True)
        self.write(self._versions_name, {"versions": before})
        self.write(ENVIRONMENT, environment)

    def forget_training(self) -> None:
        """Removes what a run that is cut short would go on from."""
        shutil.rmtree(self.training_dir, ignore_errors=True)

    def versions_before(self) -> set[int]:
        """The numbers of the versions that were published before this run."""
        saved = json.loads((self.path / self._versions_name).read_text())
        return set(saved["versions"])

    @property
    def _versions_name(self) -> str:
        return str((self.training_dir / _VERSIONS).relative_to(self.path))

    def _versions_before(self, config: RunConfig) -> list[int]:
        """The saved numbers, if this run was interrupted early; else the published."""
        if not config.overwrite and not (self.path / _REPORT).exists():
            with contextlib.suppress(OSError, ValueError, KeyError):
                return sorted(self.versions_before())
        return artifact.versions(self.artifact_base)

    def restore_versions_before(self) -> None:
        """Takes all published versions for older ones, if the record of them is lost.

        Then a run that was cut short after publishing publishes once more.
        """
        if not self.has(self._versions_name, fields=["versions"]):
            numbers = artifact.versions(self.artifact_base)
            self.write(self._versions_name, {"versions": numbers})

    def has(self, name: str, *, fields: Iterable[str]) -> bool:
        """True if a JSON file of the run has these fields.

        A file that has not is named in a warning.
        """
        path = self.path / name
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            missing = [field for field in fields if field not in values]
        except (OSError, ValueError, TypeError) as error:
            reason = str(error)
        else:
            if isinstance(values, dict) and not missing:
                return True
            reason = (
                f"it has no {', '.join(missing)}" if missing else "it is not an object"
            )
        _logger.warning("%s cannot be used (%s): it is written anew.", path, reason)
        return False

    def write(self, name: str, values: dict[str, Any]) -> None:
        """Writes a JSON file that is either whole or not there."""
        self.write_text(name, as_json(values) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Writes a file, UTF-8, that is either whole or not there."""
        self.write_bytes(name, text.encode("utf-8"))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes a file that is either whole or not there."""
        durable.write_whole(self.path / name, [content])

    def write_predictions(self, rows: Iterable[PredictionRow]) -> None:
        """Writes the predictions, whole or not at all; a row is in memory at a time."""
        lines = predictions.lines(rows)
        durable.write_whole(self.path / predictions.FILE_NAME, lines)

    def finish(self, report: dict[str, Any]) -> None:
        """Writes the report, which is what marks a run as finished."""
        self.write(_REPORT, report)
        self.forget_training()


def as_json(values: Any, *, indent: int = 0) -> str:
    """JSON to read: a line for each value, and what fits into a line on one.

    A line for each number would make the figures of 10,000 classes three times as long.
    """
    whole = json.dumps(values, allow_nan=False)
    if indent + len(whole) <= _LINE or not isinstance(values, (dict, list, tuple)):
        return whole
    deeper = indent + 2
    if isinstance(values, dict):
        inside = [
            # The key as JSON has it, which is a string of any key that it takes.
            f"{json.dumps({name: 0})[1:-2]}{as_json(value, indent=deeper)}"
            for name, value in values.items()
        ]
    else:
        inside = [as_json(value, indent=deeper) for value in values]
    first, last = "{}" if isinstance(values, dict) else "[]"
    lines = f",\n{' ' * deeper}".join(inside)
    return f"{first}\n{' ' * deeper}{lines}\n{' ' * indent}{last}"


@contextlib.contextmanager
def locked(config: RunConfig, *, kind: str = "run") -> Iterator[RunFolder]:
    """The folder of the config, locked for this run or search while it lasts.

    Raises:
        ConfigError: if this run may not write to it; see `claim`.
    """
    with lock.alone_in(claim(config, kind=kind).path):
        # Again: another run may have come in between.
        yield claim(config, kind=kind)


@contextlib.contextmanager
def temporary() -> Iterator[RunFolder]:
    """A temporary run folder for workers other than the chief."""
    with tempfile.TemporaryDirectory(prefix="zootune_worker_") as folder:
        yield RunFolder(Path(folder))


def claim(config: RunConfig, *, kind: str = "run") -> RunFolder:
    """The folder of the config, if this run may write to it. Changes nothing.

    `kind` is `run` or `search`. An interrupted one goes on if it is the same one.

    Raises:
        ConfigError: if it holds a finished run, another run, one of the other kind, or
            foreign files.
    """
    path = Path(config.workdir)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"config.workdir {path} is a file. Name a folder.")
    _check_writable(path)
    # A config that was cut short while it was written leaves its temporary file.
    ours = {durable.unfinished_name(path / _CONFIG), lock.NAME}
    if not path.exists() or {p.name for p in path.iterdir()} <= ours:
        return RunFolder(path)
    if not (path / _CONFIG).is_file():
        raise ConfigError(
            f"{path} is not empty and is not the folder of a run: it has no {_CONFIG}."
            " Nothing was touched. Choose another config.workdir."
        )
    for other, mark in _MARKS.items():
        if other != kind and (path / mark).exists():
            raise ConfigError(
                f"{path} holds a {other}, and this is a {kind}. Choose another"
                " config.workdir."
            )
    if config.overwrite:
        return RunFolder(path)
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
    return RunFolder(path)


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
    ours = json.loads(json.dumps(configs.to_dict(config)))
    try:
        theirs = with_later_fields(json.loads(path.read_text()), ours)
    except (ValueError, TypeError, AttributeError):
        return "config.json cannot be read, so all fields"
    if not ours["backbone"] and theirs["backbone"] in DEFAULTS.values():
        # The name of the default, as an older version wrote it; compared with the data.
        ours["backbone"] = theirs["backbone"]
    names = differences(ours, theirs)
    return ", ".join(name for name in names if name not in NOT_COMPARED)
