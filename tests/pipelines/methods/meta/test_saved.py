import json

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.methods.meta import saved
from pipelines.methods.meta.update_rule import new_rule


@pytest.fixture
def file(tmp_path):
    progress = saved.Progress(
        {"seed": 0, "data": "a"}, 2, new_rule(0).weights, (np.arange(3),), (1.0, 0.5)
    )
    saved.save_progress(tmp_path / "progress.npz", progress, method=saved.OPTIMIZER)
    return tmp_path / "progress.npz"


def test_progress_is_read_as_it_was(file):
    progress = saved.load_progress(
        file, {"seed": 0, "data": "a"}, method=saved.OPTIMIZER
    )
    assert (progress.rounds, progress.losses) == (2, (1.0, 0.5))
    np.testing.assert_array_equal(progress.moments[0], np.arange(3))
    for before, after in zip(new_rule(0).weights, progress.weights):
        np.testing.assert_array_equal(before, after)


def test_progress_of_other_settings_is_refused_by_name(file):
    with pytest.raises(ConfigError, match=r"seed was 0 and is 1.*another --workdir"):
        saved.load_progress(file, {"seed": 1, "data": "a"}, method=saved.OPTIMIZER)


def test_one_kind_of_file_is_not_the_other(file):
    with pytest.raises(ConfigError, match=r"cannot be read as the rule.*'progress'"):
        saved.load_rule(file)


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_a_file_cut_short_is_refused(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ConfigError, match="cannot be read as the progress"):
        saved.load_progress(file, {}, method=saved.OPTIMIZER)


@pytest.mark.parametrize("about", ["[]", '{"method": "protonet"}', "no json"])
def test_a_file_of_another_method_is_refused(tmp_path, about):
    np.savez(tmp_path / "file.npz", about=np.array(about))
    with pytest.raises(ConfigError, match="cannot be read as the rule"):
        saved.load_rule(tmp_path / "file.npz")


def test_a_rule_of_another_shape_is_refused(tmp_path):
    about = {"format": 1, "method": "optimizer", "kind": "rule"}
    np.savez(
        tmp_path / "file.npz", about=np.array(json.dumps(about)), weights_0=np.ones(3)
    )
    with pytest.raises(ConfigError, match="have the shapes"):
        saved.load_rule(tmp_path / "file.npz")
