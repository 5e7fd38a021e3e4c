"""`zoo predict --to` as tests call it, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.batch.output import record_of
from pipelines.cli import main


def predict(artifact: Path, source: object, to: Path, *more: str) -> int:
    """The exit code of a command."""
    return main(["predict", str(artifact), str(source), "--to", str(to), *more])


def lines(path: Path) -> list[dict]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def refusal(capsys, artifact: Path, source: object, to: Path, *more: str) -> str:
    """The sentence of a command that is refused."""
    capsys.readouterr()
    assert predict(artifact, source, to, *more) in (2, 3)
    return capsys.readouterr().err


def rows_done(out: Path) -> int:
    """The rows that an output surely holds."""
    record = record_of(out)
    return json.loads(record.read_text())["progress"]["rows"] if record.exists() else 0
