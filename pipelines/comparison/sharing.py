"""The test examples that several runs share, matched by name and label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipelines.comparison.finished import FinishedRun
from pipelines.errors import ConfigError

# The name of an example without a file of its own: a row of an array, table or file.
_IS_ROW = re.compile(r"(.*, (line|record) \d+|\w+ \d+)", re.DOTALL).fullmatch


def shared(runs: Sequence[FinishedRun]) -> tuple[list[FinishedRun], list[str]]:
    """The runs with the answers that all of them have, in one order, and notes.

    Raises:
        ConfigError: with the reason, if no example is in the test split of all, or if
            their examples cannot be the same ones.
    """
    first, *others = runs
    for other in others:
        _refuse_other_data(first, other)
    keys = [_keys(run) for run in runs]
    common = set(keys[0]).intersection(*map(set, keys[1:]))
    if not common:
        raise ConfigError(_why_nothing(runs, keys))
    order = [key for key in keys[0] if key in common]
    notes = [_count(runs, len(order))]
    if len({run.report.get("data", {}).get("fingerprint") for run in runs}) > 1:
        notes.append(
            "The runs had different data; examples are matched by name and label."
        )
    relabelled = _relabelled(runs)
    if relabelled:
        notes.append(
            f"{relabelled} examples have another label in one of the runs, and are left"
            " out."
        )
    return [
        FinishedRun(
            run.path, run.config, run.report, run.answers.take([of[k] for k in order])
        )
        for run, of in zip(runs, keys)
    ], notes


def _keys(run: FinishedRun) -> dict[tuple[str, str, int], int]:
    """The row of each example, by its name, its label, and how often both came before.

    A table may name a text twice.
    """
    times: Counter[tuple[str, str]] = Counter()
    rows = {}
    for row, pair in enumerate(zip(run.answers.examples, run.answers.labels)):
        key = (*pair, times[pair])
        rows[key] = row
        times[pair] += 1
    return rows


def _count(runs: Sequence[FinishedRun], count: int) -> str:
    sizes = [len(run.answers) for run in runs]
    if set(sizes) == {count}:
        return f"All {count} test examples are the same ones in all runs."
    every = ", ".join(map(str, sizes))
    return f"{count} test examples are shared; the runs have {every} of their own."


def _relabelled(runs: Sequence[FinishedRun]) -> int:
    """The number of examples that all runs have, and not with one label."""
    labels = [dict(zip(run.answers.examples, run.answers.labels)) for run in runs]
    everywhere = set(labels[0]).intersection(*labels[1:])
    return sum(len({of[name] for of in labels}) > 1 for name in everywhere)


def _refuse_other_data(first: FinishedRun, other: FinishedRun) -> None:
    """Refuses runs whose examples are rows of different data.

    A row has no name of its own: row 3 of other data is another example. A file that is
    in both keeps its name.
    """
    ours, theirs = first.report.get("data", {}), other.report.get("data", {})
    if ours.get("fingerprint") == theirs.get("fingerprint"):
        return
    if _place(ours) == _place(theirs) and not _has_moved(first, other):
        return
    if any(map(_IS_ROW, [first.answers.examples[0], other.answers.examples[0]])):
        raise ConfigError(
            f"{first.path} and {other.path} were tested on different data"
            f" ({ours.get('reference')} and {theirs.get('reference')}, with other"
            " fingerprints), whose rows have no names to match them by. Train both on"
            " the same data and seed; or measure both artifacts on one reference, with"
            " zoo evaluate."
        )


def _place(data: Any) -> str:
    """A reference without its options, such as `limit`."""
    return str(data.get("reference")).partition("?")[0]


def _has_moved(first: FinishedRun, other: FinishedRun) -> bool:
    """True if a name has another label, so that rows were moved in between."""
    return _relabelled([first, other]) > 0


def _why_nothing(
    runs: Sequence[FinishedRun], keys: Sequence[dict[tuple[str, str, int], int]]
) -> str:
    names = [set(run.answers.examples) for run in runs]
    first = runs[0]
    for run, of, its_names in zip(runs[1:], keys[1:], names[1:]):
        if keys[0].keys() & of.keys():
            continue
        same = names[0] & its_names
        why = (
            f"{len(same)} examples are in both and have another label in each"
            if same
            else "no example is in both"
        )
        return (
            f"{first.path} and {run.path} have no test example in common: {why}"
            f" ({first.report['data']['reference']} and"
            f" {run.report['data']['reference']}). Train them on the same data with the"
            " same seed of the reference; or measure both artifacts on one reference,"
            " with zoo evaluate."
        )
    return (
        f"No example is in the test split of all {len(runs)} runs, though each shares"
        f" some with {first.path}. Compare them in pairs."
    )
