"""Numbers to predict: float32 `[n, targets]`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from pipelines.data.grouping import deal
from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.display.text import shortened
from pipelines.errors import DataError

# Splits and drawn examples keep the shares of this many ranges of the first target.
_RANGES, _FEWEST_IN_RANGE = 10, 20
# A value this many times the usual spread from the median is a slip of a pen, or stands
# for a missing one; the largest of a million normal ones is 4 times from it.
_FARTHEST = 1000.0
_SHOWN = 5


class Regression:
    """One or several numbers for each example."""

    name = "regression"
    noun = "target"

    def from_classes(self, examples: Examples, ref: DatasetRef) -> Examples:
        """Examples whose labels were read as class names, with labels of this kind."""
        values = [_number(name) for name in examples.class_names]
        strange = [i for i, value in enumerate(values) if value is None]
        if strange:
            rows = np.flatnonzero(np.isin(examples.labels, strange))
            text = examples.class_names[examples.labels[rows[0]]]
            comma = " Numbers have a decimal point, not a comma." if "," in text else ""
            raise DataError(
                f"{examples.names[int(rows[0])]} has the label {shortened(text)!r},"
                f" which is not a finite number, as have {len(rows)} of {len(examples)}"
                f" examples.{comma} Correct them, or take them out; for names,"
                " config.problem='single_label' fits."
            )
        numbers = np.array(values, np.float32)
        return dataclasses.replace(
            examples,
            labels=numbers[examples.labels][:, None],
            class_names=(ref.label or "label",),
            problem=self.name,
        )

    def check(self, examples: Examples, ref: DatasetRef) -> None:
        """Raises `DataError` for labels that nothing can be learned from."""
        labels, names = examples.labels, examples.class_names
        bad = np.argwhere(~np.isfinite(labels))
        if len(bad):
            row, column = bad[0].tolist()
            count = len(np.unique(bad[:, 0]))
            raise DataError(
                f"{examples.names[row]} has the {names[column]!r}"
                f" {labels[row, column]}; {count} examples have a value that is missing"
                " or infinite. Fill it in, or take them out."
            )
        constant = np.flatnonzero(np.ptp(labels, axis=0) == 0)
        if len(constant):
            named = (f"{names[i]!r} ({labels[0, i]:g})" for i in constant)
            raise DataError(
                f"The target {listing(named, shown=_SHOWN)} is the same for all"
                f" {len(labels)} examples, so nothing can be learned of it. Name"
                " another column or array, or take it out."
            )
        _refuse_outliers(examples)

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The range of the first target, by ranks: as many examples in each."""
        ranges = max(1, min(_RANGES, len(labels) // _FEWEST_IN_RANGE))
        rank = labels[:, 0].argsort(kind="stable").argsort(kind="stable")
        return rank * ranges // len(labels)

    def count_independent(
        self, labels: np.ndarray, groups: np.ndarray, names: Sequence[str]
    ) -> Sequence[tuple[str, int]]:
        """The number of groups of each name that every split needs."""
        return [(", ".join(names), len(np.unique(groups)))]

    def deal(
        self,
        labels: np.ndarray,
        groups: np.ndarray,
        *,
        held_out: Sequence[float],
        seed: int,
    ) -> np.ndarray:
        """The split of every example, `[n]`: 0 is train, then one a fraction."""
        return deal(self.strata(labels), groups, held_out=held_out, seed=seed)

    def absent(self, labels: np.ndarray, names: Sequence[str]) -> Sequence[str]:
        """The names that a split with these labels lacks and has to have."""
        return [] if len(labels) else names

    def counts(self, labels: np.ndarray, names: Sequence[str]) -> dict[str, int]:
        """The number of examples of each name."""
        return {name: len(labels) for name in names}

    def in_words(
        self, labels: np.ndarray, names: Sequence[str]
    ) -> tuple[np.ndarray, Sequence[str]]:
        """A code for each example, in the order of words, `[n]`; and the words."""
        words = [" ".join(map(repr, row)) for row in labels.tolist()]
        return np.unique(words, return_inverse=True)[1], words


def _number(text: str) -> float | None:
    """The finite number that a text is; None if it is another text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e30 else None


def _refuse_outliers(examples: Examples) -> None:
    """Raises `DataError` for a value far beyond all others, naming it."""
    for column, name in enumerate(examples.class_names):
        values = examples.labels[:, column].astype(np.float64)
        low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
        # Where most values are one number, the others give the spread.
        others = values[values != median]
        spread = (high - low) or float(np.median(np.abs(others - median)))
        far = np.abs(values - median)
        beyond = np.flatnonzero(far > _FARTHEST * spread)
        if len(beyond):
            row = int(far.argmax())
            raise DataError(
                f"{examples.names[row]} has the {name!r} {values[row]:g}, and 9 of 10"
                f" examples lie between {low:g} and {high:g} ({len(beyond)} such"
                " examples). One like this would rule the fit. Correct it, or take it"
                " out; if such values are right, train on their logarithm."
            )
