"""Fields that a target does not go with."""

import pytest

from pipelines.config import checked, from_fields
from pipelines.errors import ConfigError

_RUN = {"data": "dir:photos", "workdir": "runs/photos"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"problem": "regression"}, "compares classes"),
        ({"problem": "anomaly"}, "compares classes"),
        ({"folds": 5, "strategy": "head_only"}, "the average of several"),
        ({"test_views": "flip", "strategy": "head_only"}, "one view of each image"),
        ({"strategy": "full"}, "config.strategy='head_only'"),
        ({"finetune": {"from_block": "auto"}}, "frozen blocks"),
        ({"head": {"init": "zeros", "hidden_units": (8,)}}, "config.adapt.units"),
        ({"head": {"dropout": 0.5}}, "leave head.init"),
        ({"head": {"conv_blocks": 1}}, "frozen blocks"),
        ({"distribution": "workers"}, "config.distribution='none'"),
    ],
)
def test_target_refuses_what_it_cannot_follow(fields, message):
    checked(from_fields({**_RUN, **fields}))
    both = {**_RUN, **fields, "adapt": {"target": "dir:phone"}}
    with pytest.raises(ConfigError, match=message):
        checked(from_fields(both))


def test_unlabelled_examples_go_with_frozen_blocks_alone():
    checked(from_fields({**_RUN, "unlabelled": "dir:more"}))
    for fields, message in (
        (
            {"strategy": "partial"},
            "config.strategy is 'partial', and config.unlabelled",
        ),
        ({"folds": 5, "strategy": "head_only"}, "the average of several"),
        ({"adapt": {"target": "dir:phone"}}, "each gives the head"),
    ):
        with pytest.raises(ConfigError, match=message):
            checked(from_fields({**_RUN, **fields, "unlabelled": "dir:more"}))


def test_fields_without_a_target_are_refused():
    with pytest.raises(ConfigError, match=r"config\.adapt\.target is empty"):
        checked(from_fields({**_RUN, "adapt": {"method": "mcc"}}))


def test_labelled_examples_choose_with_auto_alone():
    adapt = {"target": "dir:phone", "labelled": "dir:some"}
    checked(from_fields({**_RUN, "adapt": adapt}))
    with pytest.raises(ConfigError, match="choose where the method is 'auto'"):
        checked(from_fields({**_RUN, "adapt": {**adapt, "method": "mcc"}}))
