"""A run at work: alone in its folder, restarted if files change, begun with a seed."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from pipelines.errors import ChangedFilesError, ConfigError
from pipelines.runs.job import open_run
from tests.support.small_runs import config_for

SKIPS = "dir:photos?on_bad=skip"


def _attempts(tmp_path, data, failures):
    """The attempts that a run makes whose files change so many times."""
    attempts = []

    def run(job):
        attempts.append(job)
        if len(attempts) <= failures:
            raise ChangedFilesError("a.png has changed.")
        return "done"

    with open_run(config_for(tmp_path / "run", data=data)) as job:
        assert job.retry_on_changed_files(run) == "done"
    return len(attempts)


def test_changed_files_restart_a_run_that_skips_them(tmp_path):
    assert _attempts(tmp_path, SKIPS, 0) == 1
    assert _attempts(tmp_path, SKIPS, 3) == 4


@pytest.mark.parametrize(("data", "failures"), [(SKIPS, 4), ("dir:photos", 1)])
def test_changed_files_end_other_runs(tmp_path, data, failures):
    with pytest.raises(ChangedFilesError, match="a.png has changed"):
        _attempts(tmp_path, data, failures)


def test_open_run_locks_its_folder(tmp_path):
    config = config_for(tmp_path / "run")
    in_use = pytest.raises(ConfigError, match="is in use")
    with open_run(config), in_use, open_run(config):
        pytest.fail("opened twice")
    with open_run(config) as job:
        assert job.folder.path == tmp_path / "run"


def test_begin_describes_the_run_and_sets_its_seed(tmp_path, prepared):
    plan = dataclasses.replace(prepared.plan, precision="mixed_bfloat16")
    before = keras.config.dtype_policy().name

    def begin(job):
        job.begin(dataclasses.replace(prepared, plan=plan))
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        return np.asarray(keras.random.normal((3,), dtype="float32"))

    with open_run(config_for(tmp_path / "run")) as job:
        drawn = job.retry_on_changed_files(begin)
    assert keras.config.dtype_policy().name == before
    keras.utils.set_random_seed(job.config.seed)
    np.testing.assert_array_equal(drawn, keras.random.normal((3,), dtype="float32"))
    planned = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert planned["precision"] == "mixed_bfloat16"
    assert (tmp_path / "run" / "data_card.json").is_file()
