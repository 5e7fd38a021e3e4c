"""`zoo export` as tests call it, where it is refused."""

from __future__ import annotations

from pathlib import Path

from pipelines.cli import main


def refusal(capsys, run: Path, base: Path, *more: str, code: int) -> str:
    """The sentence of a refused export, once nothing was published."""
    before = sorted(path.name for path in base.iterdir()) if base.exists() else []
    capsys.readouterr()
    assert main(["export", str(run), "--to", str(base), *more]) == code
    after = sorted(path.name for path in base.iterdir()) if base.exists() else []
    assert before == after
    return capsys.readouterr().err
