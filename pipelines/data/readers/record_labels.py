"""Labels in tf.Example records: one for each, a list of them, or numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.data.names import choices
from pipelines.data.spelling import (
    Classes,
    declared_names,
    index_classes,
    index_declared,
    normal,
)
from pipelines.data.targets.choice import AUTO, SINGLE_LABEL
from pipelines.data.targets.multi_label import MultiLabel
from pipelines.data.targets.regression import Regression
from pipelines.errors import DataError

Label = int | str | float

_WORDS = {"bytes_list": "bytes", "int64_list": "whole numbers", "float_list": "floats"}
_NAMES = ("int64_list", "bytes_list")
# The kinds of values that records have for a kind of problem; names for all others.
_KINDS = {
    AUTO: ("int64_list", "bytes_list", "float_list"),
    Regression.name: ("int64_list", "bytes_list", "float_list"),
}
_TAKES_LISTS = (AUTO, MultiLabel.name, Regression.name)
# Lists of whole numbers are labels, unless numbers are asked for.
_LISTS_ARE_NUMBERS = (Regression.name,)
_MAY_BE_EMPTY = (MultiLabel.name,)


@dataclasses.dataclass(frozen=True, eq=False)
class RecordLabels:
    """Labels as in `Examples`, their names, the problem that they are of, and notes."""

    labels: np.ndarray
    names: tuple[str, ...]
    problem: str = SINGLE_LABEL
    notes: tuple[str, ...] = ()


def values_of(
    features: Mapping[str, Any], key: str, where: str, *, problem: str
) -> tuple[Label, ...]:
    """The values under the key of the label, which is one unless lists are allowed.

    `problem` is the kind that is asked for, or `auto`. Where several labels are asked
    for, a record without the key has no label.

    Raises:
        DataError: naming the record, and what is allowed.
    """
    may_be_empty = problem in _MAY_BE_EMPTY
    if may_be_empty and key not in features:
        return ()
    if problem not in _TAKES_LISTS:
        return (single(features, key, _NAMES, where, is_label=True),)
    kinds = _KINDS.get(problem, _NAMES)
    kind, values = _content(features, key, where)
    if may_be_empty and not values:
        return ()
    if kind not in kinds or not values:
        raise _refusal(kind, values, key, kinds, where)
    if kind == "bytes_list":
        return tuple(as_text(value, key, where) for value in values)
    return tuple(values)


def single(
    features: Mapping[str, Any],
    key: str,
    kinds: Sequence[str],
    where: str,
    *,
    is_label: bool = False,
) -> Any:
    """The single value under a key; a label in bytes as text.

    Raises:
        DataError: naming the record, what it has and what is allowed.
    """
    kind, values = _content(features, key, where)
    if kind not in kinds or len(values) != 1:
        raise _refusal(kind, values, key, kinds, where)
    if is_label and isinstance(values[0], bytes):
        return as_text(values[0], key, where)
    return values[0]


def as_text(value: int | bytes, key: str, where: str) -> str:
    """A value as text. Raises `DataError` for bytes that are not UTF-8."""
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} has no UTF-8 under {key!r} ({error.reason} at byte"
            f" {error.start})."
        ) from None


def labels_of(
    rows: Sequence[tuple[Label, ...]],
    declared: Sequence[str] | None,
    *,
    key: str,
    problem: str,
    place: Callable[[int], str],
    where: str,
) -> RecordLabels:
    """The labels of all records, each with its `rows` of values.

    `declared` are class names where those are known, `place(i)` names a record, and
    `where` the class names, for messages.

    Raises:
        DataError: naming a record whose label does not go with the others.
    """
    is_float = any(isinstance(row[0], float) for row in rows if row)
    lengths = np.array([len(row) for row in rows])
    has_lists = bool((lengths != 1).any())
    if is_float or (has_lists and problem in _LISTS_ARE_NUMBERS):
        return _numbers(rows, key, place)
    if has_lists or problem in _MAY_BE_EMPTY:
        return _lists(rows, declared, lengths, key=key, place=place, where=where)
    classes = _classes([row[0] for row in rows], declared, place, where)
    return RecordLabels(classes.labels, classes.names, notes=classes.notes)


def _content(
    features: Mapping[str, Any], key: str, where: str
) -> tuple[str | None, Sequence[Any]]:
    """The kind of the values under a key, and the values."""
    if key not in features:
        raise DataError(
            f"{where} has no key {key!r}. {choices(key, features)} Name another one, as"
            " in image=KEY, text=KEY or label=KEY."
        )
    kind = features[key].WhichOneof("kind")
    return kind, getattr(features[key], kind).value if kind else []


def _refusal(
    kind: str | None, values: Sequence[Any], key: str, kinds: Sequence[str], where: str
) -> DataError:
    allowed = " or ".join(_WORDS[name] for name in kinds)
    more = " For several labels set config.problem='multi_label'."
    return DataError(
        f"{where} has {len(values)} {_WORDS.get(kind or '', 'values')} under {key!r};"
        f" it needs a single value of {allowed}."
        + (more if kind in _NAMES and len(values) != 1 else "")
    )


def _lists(
    rows: Sequence[tuple[Label, ...]],
    declared: Sequence[str] | None,
    lengths: np.ndarray,
    *,
    key: str,
    place: Callable[[int], str],
    where: str,
) -> RecordLabels:
    """Labels 0 or 1, `[n, labels]`, from lists of names."""
    owner = np.repeat(np.arange(len(rows)), lengths)
    if not len(owner):
        raise DataError(
            f"{place(0)} and all others have no label under {key!r}. Name the key that"
            " has them, as in label=KEY."
        )
    values = [value for row in rows for value in row]
    classes = _classes(values, declared, lambda i: place(int(owner[i])), where)
    labels = np.zeros((len(rows), len(classes.names)), np.float32)
    labels[owner, classes.labels] = 1.0
    note = (
        f"Each example has any of {len(classes.names)} labels, on average"
        f" {labels.sum() / len(rows):.2f}; {int((lengths == 0).sum())} examples have"
        " none."
    )
    notes = (*classes.notes, note)
    return RecordLabels(labels, classes.names, MultiLabel.name, notes)


def _numbers(
    rows: Sequence[tuple[Label, ...]], key: str, place: Callable[[int], str]
) -> RecordLabels:
    """Numbers to predict, float32 `[n, targets]`."""
    count = len(rows[0])
    for i, row in enumerate(rows):
        if len(row) != count or any(isinstance(value, str) for value in row):
            words = "texts" if any(isinstance(v, str) for v in row) else "numbers"
            raise DataError(
                f"{place(i)} has {len(row)} {words} under {key!r}, and the first record"
                f" has {count} numbers. Every record needs as many."
            )
    with np.errstate(over="ignore"):
        labels = np.array(rows, np.float64).astype(np.float32)
    names = (key,) if count == 1 else tuple(f"{key}_{i}" for i in range(count))
    return RecordLabels(labels, names, Regression.name)


def _classes(
    labels: Sequence[Label],
    declared: Sequence[str] | None,
    place: Callable[[int], str],
    where: str,
) -> Classes:
    kind = type(labels[0])
    names = None if declared is None else declared_names(declared, where=where)
    known = frozenset(names or ())
    for i, label in enumerate(labels):
        if type(label) is not kind:
            raise DataError(
                f"{place(i)} has the label {label!r}, and the first"
                f" record has {labels[0]!r}. Labels must all be whole numbers, or all"
                " be bytes."
            )
        if names is None:
            continue
        if isinstance(label, str) and label not in known and normal(label) not in known:
            raise DataError(
                f"{place(i)} has the label {label!r}. " + choices(label, names)
            )
        if isinstance(label, int) and not 0 <= label < len(names):
            raise DataError(
                f"{place(i)} has the label {label}; with"
                f" {len(names)} classes it may be 0 to {len(names) - 1}."
            )
    if kind is int:
        values, indices = np.unique(np.array(labels, np.int64), return_inverse=True)
        if names is not None:
            return Classes(values[indices], names)
        return Classes(indices.astype(np.int64), tuple(map(str, values)))
    texts = [str(label) for label in labels]
    if names is None:
        return index_classes(texts)
    return index_declared(texts, names, where=where)
