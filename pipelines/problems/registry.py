"""The kinds of problems by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipelines.data.splits import Splits
from pipelines.problems.anomalies.problem import Anomaly
from pipelines.problems.multi_label import MultiLabel
from pipelines.problems.ordinal import Ordinal
from pipelines.problems.protocol import Problem
from pipelines.problems.regression import Regression
from pipelines.problems.single_label import SingleLabel

_MAKERS: Mapping[str, Callable[[Sequence[str], np.ndarray], Problem]] = {
    maker.name: maker
    for maker in (SingleLabel, MultiLabel, Regression, Ordinal, Anomaly)
}
NAMES = tuple(_MAKERS)


def problem_of(splits: Splits) -> Problem:
    """The problem of the splits, bound to their training labels."""
    return make(splits.info.problem, splits.info.class_names, splits.train.labels)


def make(name: str, names: Sequence[str], labels: np.ndarray) -> Problem:
    """The problem of a kind, for names and training labels as in `Split`."""
    return _MAKERS[name](names, labels)


def classes_can_change(name: str) -> bool:
    """True if classes can be added to a run of this kind, which is `single_label`."""
    return bool(_MAKERS[name].classes_can_change)  # type: ignore[attr-defined]


def has_one_class(name: str) -> bool:
    """True if examples of this kind have one class each, or one grade."""
    return bool(_MAKERS[name].reads_classes)  # type: ignore[attr-defined]


def trains(name: str) -> bool:
    """True if a head of this kind trains on labels, which can compare backbones."""
    return bool(_MAKERS[name].trains)  # type: ignore[attr-defined]
