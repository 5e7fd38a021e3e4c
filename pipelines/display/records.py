"""Nested plain values under dotted names, to be compared and to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def dotted(values: Mapping[str, Any], *, into_lists: bool = False) -> dict[str, Any]:
    """The same values under dotted names; items of lists by number, if asked for.

    >>> dotted({"seed": 0, "head": {"dropout": 0.5}})
    {'seed': 0, 'head.dropout': 0.5}
    >>> dotted({"phases": [{"epochs": 2}]}, into_lists=True)
    {'phases.0.epochs': 2}
    """
    return dict(_leaves(values, "", into_lists))


def differences(
    first: Mapping[str, Any], second: Mapping[str, Any], *, into_lists: bool = False
) -> dict[str, tuple[Any, Any]]:
    """The values of two records that differ, by dotted name; `None` where absent.

    >>> differences({"seed": 0, "head": {"epochs": 1}}, {"seed": 0})
    {'head.epochs': (1, None)}
    """
    ours = dotted(first, into_lists=into_lists)
    theirs = dotted(second, into_lists=into_lists)
    pairs = {name: (ours.get(name), theirs.get(name)) for name in {**ours, **theirs}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def filled(values: Any, others: Any) -> Any:
    """The values, with those of another record where a name is missing, at any depth.

    Items of lists that are equally long belong together.

    >>> filled({"head": {"epochs": 1}}, {"seed": 0, "head": {"epochs": 9, "grid": 2}})
    {'seed': 0, 'head': {'epochs': 1, 'grid': 2}}
    """
    if isinstance(values, Mapping) and isinstance(others, Mapping):
        known = {
            name: filled(value, others[name]) if name in others else value
            for name, value in values.items()
        }
        return {**others, **known}
    if (
        isinstance(values, list)
        and isinstance(others, list)
        and len(values) == len(others)
    ):
        return [filled(value, other) for value, other in zip(values, others)]
    return values


def _leaves(value: Any, name: str, into_lists: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif into_lists and isinstance(value, list):
        items = enumerate(value)
    else:
        yield name, value
        return
    for key, inner in items:
        yield from _leaves(inner, f"{name}.{key}" if name else str(key), into_lists)
