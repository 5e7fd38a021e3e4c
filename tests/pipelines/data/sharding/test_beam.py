"""Without Apache Beam the error says how to install it."""

from __future__ import annotations

import sys

import pytest

from pipelines.data.sharding.beam import import_beam
from pipelines.errors import ConfigError


def test_import_beam_missing_says_how_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ConfigError, match=r"zootune\[beam\].*, or wait\."):
        import_beam(otherwise=", or wait")


def test_import_beam_gives_the_package() -> None:
    assert import_beam().__name__ == "apache_beam"
