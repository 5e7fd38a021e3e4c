"""Labels that come as numbers in an array: 0 and 1 for labels, or targets."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.names import listing
from pipelines.data.spelling import declared_names
from pipelines.data.targets.multi_label import MultiLabel
from pipelines.data.targets.regression import Regression
from pipelines.errors import DataError

# Floats that are all whole, and of no more values, look like classes.
_FEW_VALUES = 20


@dataclasses.dataclass(frozen=True, eq=False)
class NumberLabels:
    """Labels float32 `[n, names]`, their names, and the kind that they are of."""

    labels: np.ndarray
    names: tuple[str, ...]
    problem: str
    notes: tuple[str, ...] = ()


def number_labels(
    y: np.ndarray, names: tuple[str, ...] | None, *, where: str, problem: str
) -> NumberLabels | None:
    """The labels in an array `y`, `[n]` or `[n, k]`; None if it holds classes.

    `names` are declared ones, and `problem` is the kind that was asked for, or `auto`.

    Raises:
        DataError: if it is neither, or if the names do not fit.
    """
    if y.dtype.kind not in "biuf" or (y.ndim == 1 and y.dtype.kind != "f"):
        return None
    if y.ndim not in (1, 2) or 0 in y.shape:
        raise DataError(
            f"y in {where} has shape {y.shape}; it is [n], or [n, k] for several labels"
            " or targets."
        )
    is_binary = y.ndim == 2 and y.shape[1] > 1 and bool(np.isin(y, (0, 1)).all())
    if is_binary and problem not in (MultiLabel.name, Regression.name):
        _refuse_one_hot(y, where)
    if is_binary and problem != Regression.name:
        return NumberLabels(
            y.astype(np.float32), _names(names, y, "label", where), MultiLabel.name
        )
    if y.dtype.kind != "f":
        other = "of 0 and 1" if is_binary else "other than 0 and 1"
        raise DataError(
            f"y in {where} has shape {y.shape} and whole numbers {other}."
            " For several labels it is 1 where an example has a label, else 0; for"
            " numbers to predict save y.astype('float32'); for classes save one whole"
            " number for each example, [n]."
        )
    if problem != Regression.name and y.ndim == 1:
        _refuse_classes(y, where)
    with np.errstate(over="ignore"):
        values = (y if y.ndim == 2 else y[:, None]).astype(np.float32)
    return NumberLabels(values, _names(names, values, "target", where), Regression.name)


def _refuse_one_hot(y: np.ndarray, where: str) -> None:
    """Raises `DataError` where each row has exactly one label: it may be a class."""
    if (y.sum(axis=1) == 1).all():
        raise DataError(
            f"y in {where} has shape {y.shape}, with exactly one 1 in each row: are"
            " these classes, or may an example have several labels? For classes save"
            " y.argmax(axis=1); for labels set config.problem='multi_label'."
        )


def _refuse_classes(y: np.ndarray, where: str) -> None:
    """Raises `DataError` for floats that look like classes."""
    present = np.unique(y)
    is_whole = bool(np.isfinite(present).all() and (present == np.round(present)).all())
    if is_whole and len(present) <= _FEW_VALUES:
        values = listing((f"{value:g}" for value in present), shown=5)
        raise DataError(
            f"y in {where} is {y.dtype}, and holds whole numbers only ({values}). For"
            " classes save y.astype('int64'); for numbers to predict set"
            " config.problem='regression'."
        )


def _names(
    names: tuple[str, ...] | None, y: np.ndarray, noun: str, where: str
) -> tuple[str, ...]:
    count = y.shape[1]
    if names is None:
        return (noun,) if count == 1 else tuple(f"{noun}_{i}" for i in range(count))
    if len(names) != count:
        raise DataError(
            f"class_names in {where} has {len(names)} names, and y has {count} columns."
            " Give one for each column, in order."
        )
    return declared_names(names, where=f"class_names in {where}")
