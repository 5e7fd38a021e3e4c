"""The prediction for one example. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.serving.naming import ANOMALY_BY_STEP, ANOMALY_KINDS, ANOMALY_MAP


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer of an artifact for one example.

    `valid` is false for bytes that are not a readable image, a blank text, or a series
    with a value that is missing; then `label` is empty and every probability 0.
    `accepted` is false where the artifact abstains: the confidence is too low, or the
    example is unlike the training data, which is where `ood_score` is over 1.
    `prediction_set` are the classes that it could be, likeliest first; they hold the
    right one at least as often as the first level of
    `manifest.calibration["prediction_sets"]` says. `reason` says what is wrong with an
    example that is not valid, as far as its bytes show.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    accepted: bool
    ood_score: float
    prediction_set: tuple[str, ...]
    valid: bool
    reason: str = ""

    def in_words(self) -> tuple[str, str]:
        """The answer, and how certain it is."""
        return self.label, f"{self.confidence:.4f}"


@dataclasses.dataclass(frozen=True)
class LabelPrediction:
    """The labels of one example, any number of them.

    `labels` are those whose probability reaches the threshold of the label.
    `confidence` is the probability that the least certain of these decisions is right.
    The other fields are as in `Prediction`.
    """

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    confidence: float
    accepted: bool
    ood_score: float
    valid: bool
    reason: str = ""

    def in_words(self) -> tuple[str, str]:
        """The labels with bars between them, and how certain they are."""
        return " | ".join(self.labels) or "(no label)", f"{self.confidence:.4f}"


@dataclasses.dataclass(frozen=True)
class NumberPrediction:
    """The numbers of one example by target, each with its interval.

    An `interval` holds the true number at least as often as the first level of
    `manifest.calibration["intervals"]` promises. The other fields are as in
    `Prediction`.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    accepted: bool
    ood_score: float
    valid: bool
    reason: str = ""

    def in_words(self) -> tuple[str, str]:
        """The numbers, and their intervals."""
        numbers = (f"{value:.4g}" for value in self.values.values())
        pairs = (f"{low:.4g} to {high:.4g}" for low, high in self.intervals.values())
        return ", ".join(numbers), ", ".join(pairs)


@dataclasses.dataclass(frozen=True)
class AnomalyPrediction:
    """Whether one example is anomalous.

    `anomaly_score` is over 1 for an example that is `anomalous`. At most the share
    `p_value` of new normal examples is as strange, and at most the share
    `manifest.calibration["promised"]` of them is called anomalous. `anomaly_map` has
    rows of cells of an image, and `anomaly_by_step` the steps of a series, over 1 where
    such a place alone is anomalous; None without a detector of places. `valid` and
    `reason` are as in `Prediction`.
    """

    anomaly_score: float
    p_value: float
    anomalous: bool
    valid: bool
    reason: str = ""
    anomaly_map: tuple[tuple[float, ...], ...] | None = None
    anomaly_by_step: tuple[float, ...] | None = None

    def in_words(self) -> tuple[str, str]:
        """The kind of example, and its p-value."""
        return ANOMALY_KINDS[self.anomalous], f"{self.p_value:.4f}"


AnyPrediction = Prediction | LabelPrediction | NumberPrediction | AnomalyPrediction


def from_outputs(
    row: Mapping[str, Any], names: Sequence[str], *, reason: str = ""
) -> AnyPrediction:
    """The prediction in one row of the outputs of the default signature.

    The outputs show its kind: only numbers have `values`, only several labels have
    `predicted`, and only anomalies have an `anomaly_score`.
    """
    if "anomaly_score" in row:
        return _anomaly(row, reason)
    if "values" in row:
        return _numbers(row, names, reason)
    if "predicted" in row:
        return _labels(row, names, reason)
    return _label(row, names, reason)


def fits(row: Mapping[str, Any], names: Sequence[str]) -> bool:
    """True if a row can be of these names, by the number of its columns."""
    if "anomaly_score" in row:
        return tuple(names) == ANOMALY_KINDS
    return len(row.get("values", row.get("probabilities", ()))) == len(names)


def has_label(row: Mapping[str, Any]) -> bool:
    """True if a row answers with a single class."""
    others = ("values", "predicted", "anomaly_score")
    return not any(name in row for name in others)


def _anomaly(row: Mapping[str, Any], reason: str) -> AnomalyPrediction:
    cells, steps = row.get(ANOMALY_MAP), row.get(ANOMALY_BY_STEP)
    if cells is not None:
        cells = tuple(map(tuple, np.asarray(cells).tolist()))
    return AnomalyPrediction(
        anomaly_map=cells,
        anomaly_by_step=None if steps is None else tuple(np.asarray(steps).tolist()),
        anomaly_score=float(row["anomaly_score"]),
        p_value=float(row["p_value"]),
        anomalous=bool(row["anomalous"]),
        valid=bool(row["valid"]),
        reason=reason,
    )


def _numbers(
    row: Mapping[str, Any], names: Sequence[str], reason: str
) -> NumberPrediction:
    columns = (np.asarray(row[key]).tolist() for key in ("values", "lower", "upper"))
    values, lower, upper = columns
    return NumberPrediction(
        values=dict(zip(names, values)),
        intervals=dict(zip(names, zip(lower, upper))),
        accepted=bool(row["accepted"]),
        ood_score=float(row["ood_score"]),
        valid=bool(row["valid"]),
        reason=reason,
    )


def _labels(
    row: Mapping[str, Any], names: Sequence[str], reason: str
) -> LabelPrediction:
    probabilities = np.asarray(row["probabilities"]).tolist()
    return LabelPrediction(
        labels=tuple(name for name, has in zip(names, row["predicted"]) if has),
        probabilities=dict(zip(names, probabilities)),
        confidence=float(row["confidence"]),
        accepted=bool(row["accepted"]),
        ood_score=float(row["ood_score"]),
        valid=bool(row["valid"]),
        reason=reason,
    )


def _label(
    row: Mapping[str, Any], class_names: Sequence[str], reason: str
) -> Prediction:
    probabilities = np.asarray(row["probabilities"])
    likeliest_first = np.argsort(-probabilities, kind="stable")
    label = row["label"]
    return Prediction(
        label=label.decode() if isinstance(label, bytes) else label,
        confidence=float(row["confidence"]),
        probabilities=dict(zip(class_names, map(float, probabilities))),
        accepted=bool(row["accepted"]),
        ood_score=float(row["ood_score"]),
        prediction_set=tuple(
            class_names[k] for k in likeliest_first if row["prediction_set"][k]
        ),
        valid=bool(row["valid"]),
        reason=reason,
    )
