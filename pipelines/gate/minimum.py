"""Bounds on the measures of a run: which there are, and which are missed."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.config.conditions import Condition
from pipelines.data.names import listing
from pipelines.display.records import dotted
from pipelines.errors import ConfigError

SPLITS = ("validation", "test")
_NAMED = 20


@dataclasses.dataclass(frozen=True)
class Checked:
    """A condition with the value of its measure; None where that is not a number."""

    condition: str
    value: float | None
    passed: bool
    missed_by: float | None


def measures_of(report: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers that `report.json` has for validation and test, by dotted name."""
    return {
        name: value if value is None else float(value)
        for split in SPLITS
        for name, value in dotted({split: report.get(split) or {}}).items()
        if value is None or (isinstance(value, (int, float)) and value is not True)
    }


def require_known(conditions: Sequence[Condition], report_type: type) -> None:
    """Refuses a measure that no report of this type has, before anything is trained.

    Measures of single classes are not checked here.

    Raises:
        ConfigError: with the names that exist.
    """
    numbers, nested = list(_numbers(report_type)), tuple(_nested(report_type))
    known = [f"{split}.{name}" for split in SPLITS for name in numbers]
    for condition in conditions:
        rest = condition.measure.partition(".")[2]
        if condition.measure not in known and not rest.startswith(nested):
            more = [f"{split}.{name}NAME" for split in SPLITS for name in nested]
            raise _unknown(condition, [*known, *more])


def checked(
    conditions: Sequence[Condition], report: Mapping[str, Any]
) -> list[Checked]:
    """Each condition with its measure in the values of a `report.json`.

    Raises:
        ConfigError: for a measure that the report lacks, with the ones that it has.
    """
    known = measures_of(report)
    for condition in conditions:
        if condition.measure not in known:
            raise _unknown(condition, list(known))
    return [_checked(condition, known[condition.measure]) for condition in conditions]


def _checked(condition: Condition, value: float | None) -> Checked:
    if value is None or not math.isfinite(value):
        return Checked(str(condition), None, False, None)
    passed = condition.is_met(value)
    away = None if passed else abs(value - condition.bound)
    return Checked(str(condition), value, passed, away)


def _unknown(condition: Condition, known: Sequence[str]) -> ConfigError:
    """The refusal of a measure, with the nearest name and with those of its split."""
    split = condition.measure.partition(".")[0]
    near = difflib.get_close_matches(condition.measure, known, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else ""
    whole = [name for name in known if ".per_" not in name]
    parts = [name for name in known if ".per_" in name]
    own = [name for name in (*whole, *parts) if name.startswith(f"{split}.")]
    return ConfigError(
        f"The gate names {condition.measure!r}, and the measures in the report of this"
        f" run are {listing(own, shown=_NAMED)}.{hint} Use the name of one of these."
    )


def _numbers(report_type: type) -> Iterator[str]:
    for field in dataclasses.fields(report_type):
        if str(field.type) in ("int", "float", "float | None"):
            yield field.name


def _nested(report_type: type) -> Iterator[str]:
    """The beginnings of names of numbers that classes, labels or targets have."""
    for field in dataclasses.fields(report_type):
        if field.name.startswith("per_"):
            yield f"{field.name}."
