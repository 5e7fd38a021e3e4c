"""What a plan becomes with examples without labels, and what it stays without."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.unlabelled import decide
from pipelines.stages.unlabelled.apply import apply_unlabelled
from tests.support import two_domains
from tests.support.small_runs import config_for


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = two_domains.write(tmp_path_factory.mktemp("decide"))
    return config_for(
        folder / "run",
        data=f"npz:{folder / two_domains.SOURCE}",
        unlabelled=f"npz:{folder / two_domains.TARGET}",
    )


@pytest.fixture(scope="module")
def prepared(config):
    return prepare(config, DatasetRef.parse(config.data), Clock())


@pytest.fixture(autouse=True)
def fewer(monkeypatch):
    monkeypatch.setattr(decide, "MOST", 60)


def _decided(prepared, config):
    return decide.decide_unlabelled(
        config, prepared.splits, prepared.measured, prepared.plan
    )


def test_examples_of_another_ground_change_nothing(prepared, config):
    decided = _decided(prepared, config)
    assert (decided.record.method, decided.head) == ("none", None)
    assert decided.record.examples == decide.MOST
    assert decided.plan.phases == prepared.plan.phases
    assert "so that the others are not used" in decided.plan.reason
    assert _decided(prepared, config).record == decided.record
    with pytest.raises(ValueError, match="are not used"):
        apply_unlabelled(None, prepared.splits, decided)


def test_examples_that_count_differently_are_refused(prepared, config):
    train = prepared.splits.train
    weighted = dataclasses.replace(
        prepared.splits, train=dataclasses.replace(train, weights=np.ones(len(train)))
    )
    with pytest.raises(ConfigError, match="examples that count the same"):
        decide.decide_unlabelled(config, weighted, prepared.measured, prepared.plan)
