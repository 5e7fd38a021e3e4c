"""Which kind of labels data have: as the config says, or as it is plain to see."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.data.targets.anomaly import Anomaly
from pipelines.data.targets.kind import TargetKind
from pipelines.data.targets.multi_label import DELIMITER, MultiLabel
from pipelines.data.targets.ordinal import Ordinal
from pipelines.data.targets.regression import Regression
from pipelines.data.targets.single_label import SingleLabel
from pipelines.errors import DataError

AUTO = "auto"
SINGLE_LABEL = SingleLabel.name
_KINDS: dict[str, TargetKind] = {
    kind.name: kind
    for kind in (SingleLabel(), MultiLabel(), Regression(), Ordinal(), Anomaly())
}
# From this many different decimal numbers on, labels are amounts and not names.
_MANY_NUMBERS = 20


def kind_of(name: str) -> TargetKind:
    """The kind of labels with this name."""
    return _KINDS[name]


def as_problem(examples: Examples, problem: str, ref: DatasetRef) -> Examples:
    """The examples with labels of a kind; `auto` is the kind that is plain to see.

    Raises:
        DataError: if the labels are of another kind; it says which.
    """
    if problem == AUTO:
        chosen, why = _plain(examples, ref)
        if why:
            note = f"config.problem is {chosen!r}, because {why}."
            examples = dataclasses.replace(examples, notes=(*examples.notes, note))
    else:
        chosen = problem
    if chosen == examples.problem:
        return examples
    if examples.problem != SINGLE_LABEL:
        raise DataError(
            f"{ref} has labels for {examples.problem!r}, {_shape(examples)}, and not"
            f" for {chosen!r}. Set config.problem={examples.problem!r}, or save other"
            " labels."
        )
    return kind_of(chosen).from_classes(examples, ref)


def of_folders(problem: str) -> str:
    """The kind of labels that folders have: classes, unless another is asked for."""
    return SINGLE_LABEL if problem == AUTO else problem


def check_other_labels(examples: Examples, ref: DatasetRef) -> None:
    """Raises `DataError` for labels, other than classes, that teach nothing."""
    if examples.problem != SINGLE_LABEL:
        kind_of(examples.problem).check(examples, ref)


def _shape(examples: Examples) -> str:
    kind = "0 and 1" if examples.problem == MultiLabel.name else "numbers"
    return f"{kind} in an array of shape {examples.labels.shape}"


def _plain(examples: Examples, ref: DatasetRef) -> tuple[str, str]:
    """The kind of labels, and the reason where it is not one class for each."""
    if examples.problem != SINGLE_LABEL:
        return examples.problem, f"y is {_shape(examples)}"
    if ref.label_delimiter is not None:
        return MultiLabel.name, "the reference has label_delimiter="
    names = examples.class_names
    lists = [name.split(DELIMITER) for name in names if DELIMITER in name]
    parts = {part.strip() for name in names for part in name.split(DELIMITER)}
    if ref.scheme == "csv" and 2 * len(lists) >= len(names) and len(parts) < len(names):
        return MultiLabel.name, f"labels are lists with {DELIMITER!r} between them"
    if len(names) >= _MANY_NUMBERS and _are_amounts(names):
        return Regression.name, f"the labels are {len(names)} different decimal numbers"
    return SINGLE_LABEL, ""


def _are_amounts(names: tuple[str, ...]) -> bool:
    """True for finite numbers, half of them or more with decimals."""
    try:
        values = np.array([float(name) for name in names])
    except ValueError:
        return False
    has_decimals = values != np.floor(values)
    return bool(np.isfinite(values).all() and 2 * has_decimals.sum() >= len(values))
