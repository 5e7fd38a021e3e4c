"""Fields that a teacher does not go with."""

import pytest

from pipelines.config import checked, from_fields
from pipelines.errors import ConfigError

_RUN = {"data": "dir:photos", "workdir": "runs/photos"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"folds": 5, "strategy": "head_only"}, "seen all folds but one"),
        ({"adapt": {"target": "dir:phone"}}, "zoo adapt"),
        ({"unlabelled": "dir:more"}, "config.distil.unlabelled"),
        ({"imbalance": "weights"}, "train it with config.imbalance"),
        ({"finetune": {"label_smoothing": 0.1}}, "soft already"),
        ({"distribution": "workers"}, "config.distribution='none'"),
    ],
)
def test_teacher_refuses_what_it_cannot_follow(fields, message):
    checked(from_fields({**_RUN, **fields}))
    both = {**_RUN, **fields, "distil": {"teacher": "runs/large"}}
    with pytest.raises(ConfigError, match=message):
        checked(from_fields(both))


def test_fields_without_a_teacher_are_refused():
    with pytest.raises(ConfigError, match=r"config\.distil\.teacher is empty"):
        checked(from_fields({**_RUN, "distil": {"unlabelled": "dir:more"}}))


@pytest.mark.parametrize("fields", [{"temperature": 0.5}, {"weight": 1.5}])
def test_numbers_out_of_bounds_are_refused(fields):
    both = {**_RUN, "distil": {"teacher": "runs/large", **fields}}
    with pytest.raises(ConfigError, match="allowed"):
        checked(from_fields(both))
