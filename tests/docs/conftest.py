"""The finished run that the tests of the pipeline share, and the store of all pages."""

import pytest

from tests.pipelines.conftest import finished_run  # noqa: F401
from tests.support import kept


@pytest.fixture
def kept_store(monkeypatch, tmp_path):
    """What a page fetches stays for other runs; what it publishes does not."""
    monkeypatch.delenv("ZOOTUNE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept.CACHE))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
