"""The commands that a finished run is gone on with, with its real paths."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from pipelines.report import predictions
from zoo.storage.home import expanded


def next_commands(workdir: Path, report: Mapping[str, Any]) -> list[str]:
    """Commands, ready for a shell: predict, the page of the run, and serve.

    To predict, a file of the test split is named; data without files are evaluated, if
    another process has them.
    """
    base = Path(report["artifact"]).parent
    reference = report["data"]["reference"]
    ref = DatasetRef.parse(reference)
    file = _test_file(workdir, ref)
    commands = [
        ["zoo", "report", _argument(workdir)],
        ["zoo", "serve", _argument(base)],
    ]
    if file:
        commands.insert(0, ["zoo", "predict", _argument(base), _argument(file)])
    elif ref.scheme != "memory":  # which no other process has
        commands.insert(0, ["zoo", "evaluate", _argument(base), f"--data={reference}"])
    return [shlex.join(command) for command in commands]


def _argument(path: Path) -> str:
    """The path as no command takes it for a flag."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def _test_file(workdir: Path, ref: DatasetRef) -> Path | None:
    """The first file of the test split, if its examples are files that are there."""
    if ref.scheme not in ("dir", "csv"):
        return None
    place = expanded(ref.location)
    folder = place if ref.scheme == "dir" else place.parent
    try:
        rows = predictions.read(workdir / predictions.FILE_NAME)
        name = next((row.example for row in rows if row.split == "test"), None)
    except ConfigError:  # broken by somebody: there are other commands
        return None
    file = folder / name if name else None
    return file if file and file.is_file() else None
