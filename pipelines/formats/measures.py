"""The measure by which a file of another format is compared with its SavedModel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import numpy as np

from pipelines.problems.label_reports import mean_average_precision
from pipelines.problems.number_reports import r2
from pipelines.serving.artifact import Manifest

# Numbers that differ by less than this share of their spread are the same answer.
_SAME_NUMBER = 0.01


class Measure(Protocol):
    """A comparison of outputs `[n, columns]`, of one kind of answers.

    `output` is the name of the output that is compared, `metric` the name of the
    quality, with underscores, and `unit` says of what differences are.
    """

    output: ClassVar[str]
    metric: ClassVar[str]
    unit: ClassVar[str]

    def quality(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """How well outputs answer, at most 1; `labels` as in `Split`."""

    def agree(self, outputs: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """True for each example whose answers are the same, bool `[n]`."""

    def difference(self, outputs: np.ndarray, expected: np.ndarray) -> float:
        """The largest difference of two outputs, in units."""


@dataclasses.dataclass(frozen=True)
class OfClasses:
    """Probabilities of classes, compared by accuracy."""

    output: ClassVar[str] = "probabilities"
    metric: ClassVar[str] = "accuracy"
    unit: ClassVar[str] = "a probability"

    def quality(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """The share of examples whose likeliest class is right."""
        return float((outputs.argmax(axis=1) == labels).mean())

    def agree(self, outputs: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """True where the likeliest class is the same."""
        return outputs.argmax(axis=1) == expected.argmax(axis=1)

    def difference(self, outputs: np.ndarray, expected: np.ndarray) -> float:
        """The largest difference of two probabilities."""
        return float(np.abs(outputs - expected).max())


@dataclasses.dataclass(frozen=True)
class OfLabels:
    """Probabilities of labels, compared by mean average precision."""

    thresholds: tuple[float, ...]

    output: ClassVar[str] = "probabilities"
    metric: ClassVar[str] = "mean_average_precision"
    unit: ClassVar[str] = "a probability"

    def quality(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """The mean average precision."""
        return float(mean_average_precision(outputs, labels)[0])

    def agree(self, outputs: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """True where the same labels are predicted."""
        thresholds = np.array(self.thresholds, np.float32)
        return ((outputs >= thresholds) == (expected >= thresholds)).all(axis=1)

    def difference(self, outputs: np.ndarray, expected: np.ndarray) -> float:
        """The largest difference of two probabilities."""
        return float(np.abs(outputs - expected).max())


@dataclasses.dataclass(frozen=True, eq=False)
class OfNumbers:
    """Numbers, compared by R2; `spread` `[columns]` is their standard deviation."""

    spread: np.ndarray

    output: ClassVar[str] = "values"
    metric: ClassVar[str] = "r2"
    unit: ClassVar[str] = "standard deviations of a target"

    def quality(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """The mean R2 of the targets."""
        return float(r2(outputs - labels, labels).mean())

    def agree(self, outputs: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """True where all numbers are as good as equal."""
        apart = np.abs(outputs - expected) / self.spread
        return (apart <= _SAME_NUMBER).all(axis=1)

    def difference(self, outputs: np.ndarray, expected: np.ndarray) -> float:
        """The largest difference of two numbers, in standard deviations."""
        return float((np.abs(outputs - expected) / self.spread).max())


def measure_of(manifest: Manifest, labels: np.ndarray) -> Measure:
    """The measure for the answers of an artifact; `labels` of examples to compare."""
    return _MEASURES[manifest.problem](manifest, labels)


def _of_labels(manifest: Manifest, labels: np.ndarray) -> OfLabels:
    return OfLabels(tuple(manifest.calibration["label_thresholds"]))


def _of_numbers(manifest: Manifest, labels: np.ndarray) -> OfNumbers:
    spread = labels.std(axis=0, dtype=np.float64)
    return OfNumbers(np.where(spread > 0, spread, 1.0))


_MEASURES: Mapping[str, Callable[[Manifest, np.ndarray], Measure]] = {
    "single_label": lambda manifest, labels: OfClasses(),
    "ordinal": lambda manifest, labels: OfClasses(),
    "multi_label": _of_labels,
    "regression": _of_numbers,
}
