"""A store that keeps the wheels' files for later runs: they are 1 MB."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _kept_store(monkeypatch):
    home = Path.home() / ".cache" / "zootune-tests" / "home"
    monkeypatch.setenv("ZOOTUNE_HOME", str(home))
