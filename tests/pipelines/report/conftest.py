"""The files of the shared run, for pages of it and of variants."""

import pytest

from pipelines.report import run_files


@pytest.fixture(scope="session")
def files(finished_run) -> run_files.RunFiles:
    """The files of a finished run, for reading only."""
    return run_files.read(finished_run)
