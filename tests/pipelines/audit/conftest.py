"""A folder of sound photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pictures import photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of six sound photos."""
    for c, name in enumerate(("cat", "zebra")):
        (tmp_path / name).mkdir()
        for i in range(6):
            photo(10 * c + i).save(tmp_path / name / f"{i}.png")
    return tmp_path
