"""A run without such examples stays as it was prepared; several workers are refused."""

import dataclasses

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.runs.unlabelled import helped
from pipelines.runtime.clock import Clock
from pipelines.training.distributed.workers import ALONE


@dataclasses.dataclass
class _Several:
    is_alone: bool = False


def test_run_without_examples_is_left_alone():
    prepared = object()
    assert helped(prepared, RunConfig(), Clock(), ALONE) is prepared


def test_several_workers_are_refused():
    config = RunConfig(unlabelled="dir:more")
    with pytest.raises(ConfigError, match="several workers train"):
        helped(object(), config, Clock(), _Several())
