"""A run without other data stays as it was prepared; several workers are refused."""

import dataclasses

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.runs.other_data import with_other_data
from pipelines.runtime.clock import Clock
from pipelines.training.distributed.workers import ALONE


@dataclasses.dataclass
class _Prepared:
    target: object = None


@dataclasses.dataclass
class _Several:
    is_alone: bool = False


def test_run_without_other_data_is_left_alone():
    prepared = _Prepared()
    assert with_other_data(prepared, RunConfig(), Clock(), ALONE) is prepared


@pytest.mark.parametrize(
    ("target", "unlabelled", "field"),
    [("a target", "", "config.adapt.target"), (None, "dir:more", "config.unlabelled")],
)
def test_several_workers_are_refused(target, unlabelled, field):
    config = RunConfig(unlabelled=unlabelled)
    with pytest.raises(ConfigError, match=f"{field} is set, and several workers"):
        with_other_data(_Prepared(target), config, Clock(), _Several())
