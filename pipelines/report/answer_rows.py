"""Kept answers on labels, numbers and anomalies: a row for each held-out example."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.report.predictions import ALL_CLASSES, LARGEST


@dataclasses.dataclass(frozen=True)
class LabelRow:
    """The answer on several labels for one example.

    `labels` are right and `predicted` the answer. `probabilities` are of all labels up
    to 20, or else of the ten likeliest and of `labels`, likeliest first.
    """

    split: str
    example: str
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    confidence: float
    accepted: bool
    ood_score: float
    probabilities: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class NumberRow:
    """The answer in numbers for one example, by the name of the target.

    `values` are right, `predicted` the answer, and `intervals` its intervals.
    """

    split: str
    example: str
    values: Mapping[str, float]
    predicted: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    accepted: bool
    ood_score: float


@dataclasses.dataclass(frozen=True)
class AnomalyRow:
    """The answer on one example; `label` is right, `normal` or `anomaly`."""

    split: str
    example: str
    label: str
    anomalous: bool
    anomaly_score: float
    p_value: float


def rows_of_answers(
    split: str,
    examples: Iterable[str],
    labels: np.ndarray,
    answers: Mapping[str, Any],
    names: Sequence[str],
) -> Iterator[LabelRow | NumberRow | AnomalyRow]:
    """A row for each of the `examples`, which are names.

    `labels` are `[n, names]`, of anomalies `[n]`. `answers` have arrays by name as an
    artifact gives them, which show the kind: only numbers have `values`, and only
    anomalies an `anomaly_score`.
    """
    row: Callable[..., LabelRow | NumberRow | AnomalyRow] = _labels
    if "anomaly_score" in answers:
        row = _anomaly
    elif "values" in answers:
        row = _numbers
    for i, example in enumerate(examples):
        mine = {name: answers[name][i] for name in answers}
        yield row(split, example, labels[i], mine, names)


def _labels(
    split: str,
    example: str,
    labels: np.ndarray,
    answers: Mapping[str, Any],
    names: Sequence[str],
) -> LabelRow:
    probabilities = answers["probabilities"]
    order = np.argsort(-probabilities, kind="stable")
    if len(names) > ALL_CLASSES:
        kept = np.isin(order, np.flatnonzero(labels > 0))
        kept[:LARGEST] = True
        order = order[kept]
    return LabelRow(
        split,
        example,
        labels=tuple(name for name, has in zip(names, labels) if has),
        predicted=tuple(name for name, has in zip(names, answers["predicted"]) if has),
        confidence=_float32(answers["confidence"]),
        accepted=bool(answers["accepted"]),
        ood_score=_float32(answers["ood_score"]),
        probabilities={names[k]: _float32(probabilities[k]) for k in order},
    )


def _numbers(
    split: str,
    example: str,
    labels: np.ndarray,
    answers: Mapping[str, Any],
    names: Sequence[str],
) -> NumberRow:
    values, lower, upper = (
        [_float32(number) for number in answers[key]]
        for key in ("values", "lower", "upper")
    )
    return NumberRow(
        split,
        example,
        values=dict(zip(names, map(_float32, labels))),
        predicted=dict(zip(names, values)),
        intervals=dict(zip(names, zip(lower, upper))),
        accepted=bool(answers["accepted"]),
        ood_score=_float32(answers["ood_score"]),
    )


def _anomaly(
    split: str,
    example: str,
    label: int,
    answers: Mapping[str, Any],
    names: Sequence[str],
) -> AnomalyRow:
    return AnomalyRow(
        split,
        example,
        label=names[label],
        anomalous=bool(answers["anomalous"]),
        anomaly_score=_float32(answers["anomaly_score"]),
        p_value=_float32(answers["p_value"]),
    )


def _float32(value: float) -> float:
    """The number in the precision of an artifact, as the shortest text that is it."""
    return float(str(np.float32(value)))
