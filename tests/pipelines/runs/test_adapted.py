"""A run without a target stays as it was prepared; several workers adapt nothing."""

import dataclasses

import pytest

from pipelines.errors import ConfigError
from pipelines.runs.adapted import adapted
from pipelines.runtime.clock import Clock
from pipelines.training.distributed.workers import ALONE


@dataclasses.dataclass
class _Prepared:
    target: object = None


@dataclasses.dataclass
class _Several:
    is_alone: bool = False


def test_run_without_a_target_is_left_alone():
    prepared = _Prepared()
    assert adapted(prepared, None, Clock(), ALONE) is prepared


def test_several_workers_adapt_nothing():
    with pytest.raises(ConfigError, match="several workers train"):
        adapted(_Prepared(target="a target"), None, Clock(), _Several())
