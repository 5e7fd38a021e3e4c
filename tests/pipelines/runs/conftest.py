"""A small run: prepared, and cut short after its first phase."""

import dataclasses

import pytest

from pipelines.data.reference import DatasetRef
from pipelines.runs import folder as run_folder
from pipelines.runs.prepare import prepare
from pipelines.runs.resume import progress_of
from pipelines.runtime.clock import Clock
from tests.support.small_runs import ENVIRONMENT, config_for


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    config = config_for(tmp_path_factory.mktemp("nothing"))
    return prepare(config, DatasetRef.parse(config.data), Clock())


@pytest.fixture
def saved(tmp_path, prepared):
    """The folder of a run that was cut short after its first phase."""
    config = config_for(tmp_path / "run")
    folder = run_folder.RunFolder(tmp_path / "run")
    folder.begin(config, ENVIRONMENT)
    progress = progress_of(
        dataclasses.replace(config, checkpoint_seconds=0.0), prepared, folder
    )
    assert not progress.was_saved
    progress.phase_ends({"name": "head"}, prepared.base.model)
    return folder
