"""Folders of empty files."""

from __future__ import annotations

from pathlib import Path


def fill(root: Path, *names: str) -> Path:
    """Empty files: indexing opens none of them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root
