"""A store that keeps the wheels' files for later runs: they are 1 MB."""

import pytest

from tests.support import kept


@pytest.fixture(autouse=True)
def _kept_store(monkeypatch):
    monkeypatch.setenv("ZOOTUNE_HOME", str(kept.HOME))
