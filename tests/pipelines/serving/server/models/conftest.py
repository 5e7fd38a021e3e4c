"""A version that nobody trained, and a base path with it."""

from pathlib import Path

import pytest

from tests.support import small_artifacts
from tests.support.watched_models import NAME


@pytest.fixture(scope="module")
def version(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("version") / "1"
    return small_artifacts.make(folder, ["cat", "dog"])


@pytest.fixture
def base(tmp_path, version) -> Path:
    small_artifacts.publish(version, tmp_path / NAME, 1)
    return tmp_path / NAME
