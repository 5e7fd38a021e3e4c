"""Connections are as many as the process may have open, on both interfaces."""

import resource

import pytest

from pipelines.serving.server.open_files import with_room
from pipelines.serving.server.settings import Limits, Settings

SETTINGS = Settings(limits=Limits(max_connections=1000))


@pytest.fixture
def allowed(monkeypatch):
    """What the system allows, as a pair; `setrlimit` changes it."""
    limits = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.update(now=pair))
    return limits


@pytest.mark.parametrize("hard", [5000, resource.RLIM_INFINITY])
def test_limit_of_the_process_is_raised_as_needed(allowed, hard):
    allowed["now"] = (1024, hard)
    assert with_room(SETTINGS) is SETTINGS
    assert allowed["now"] == (2 * 1000 + 256, hard)


def test_connections_shrink_to_a_hard_limit(allowed, caplog):
    allowed["now"] = (512, 1256)
    assert with_room(SETTINGS).limits.max_connections == 500
    assert allowed["now"] == (1256, 1256)
    assert "1256 files open, so 500 connections are taken and not 1000" in caplog.text


def test_enough_open_files_change_nothing(allowed):
    allowed["now"] = (4096, 4096)
    assert with_room(SETTINGS) is SETTINGS
    assert allowed["now"] == (4096, 4096)
