"""The target of a run: read as the head reads it, and measured."""

import dataclasses

import numpy as np
import pytest

from pipelines.config.sections.adapt import AdaptConfig
from pipelines.errors import ConfigError
from pipelines.stages.adaptation.read import read_domains, with_advice


def test_domains_have_features_of_every_example(prepared):
    read, splits = prepared.target, prepared.splits
    assert len(read.domains.target) == len(read.split) == 150
    assert len(read.domains.validation) == len(splits.validation)
    assert len(read.domains.source) == len(read.domains.labels)
    assert read.evidence.distance > 1
    assert len(read.labelled.labels) == 60
    assert set(read.labelled.labels) == {0, 1, 2}


def test_plan_says_how_far_the_target_is(prepared, adapting):
    assert "60 labelled examples of it choose" in prepared.plan.reason
    alone = dataclasses.replace(prepared.target, labelled=None)
    plan = dataclasses.replace(prepared.plan, reason="Trains.")
    words = {
        method: with_advice(plan, alone, adapting(method)).reason.splitlines()[-1]
        for method in ("auto", "none", "coral")
    }
    assert all("proxy A-distance" in line for line in words.values())
    assert "Does not adapt: no label" in words["auto"]
    assert "config.adapt.labelled" in words["auto"]
    assert "as config.adapt.method says" in words["none"]
    assert "Adapts by coral" in words["coral"]


def test_no_target_is_read_without_one(prepared, adapting):
    arguments = (prepared.splits, prepared.measured, prepared.plan)
    config = dataclasses.replace(adapting(), adapt=AdaptConfig())
    assert read_domains(config, *arguments) is None


def test_head_without_closed_form_is_refused(prepared, adapting):
    arguments = (prepared.measured, prepared.plan)
    train = prepared.splits.train
    weighed = dataclasses.replace(train, weights=np.ones(len(train), np.float32))
    splits = dataclasses.replace(prepared.splits, train=weighed)
    with pytest.raises(ConfigError, match="examples that count the same"):
        read_domains(adapting(), splits, *arguments)
