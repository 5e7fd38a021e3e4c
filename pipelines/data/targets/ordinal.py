"""Grades in an order: int64 `[n]`, indices of names from the lowest grade on."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np

from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.data.targets.single_label import SingleLabel
from pipelines.errors import DataError

# References whose class names come in an order that somebody declared.
_DECLARE = ("npz", "tfds", "tfrecord")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_FEWEST_GRADES = 3


class Ordinal(SingleLabel):
    """One grade for each example, and an order among the grades."""

    name = "ordinal"
    noun = "grade"

    def from_classes(self, examples: Examples, ref: DatasetRef) -> Examples:
        """Examples whose labels were read as class names, with labels of this kind."""
        names = examples.class_names
        values = [_value(name) for name in names]
        if any(value is None for value in values) and ref.scheme not in _DECLARE:
            named = listing(map(repr, names), shown=10)
            raise DataError(
                f"{ref} has the grades {named}, and nothing says their order. Begin"
                " each with its number, as in '1_low', or save them in an npz file with"
                " class_names from the lowest to the highest. Without an order,"
                " config.problem='single_label' fits."
            )
        numbers = [value for value in values if value is not None]
        labels = examples.labels
        if len(numbers) == len(names):
            _refuse_gaps(numbers, names, ref)
            order = np.argsort(numbers, kind="stable")
            names = tuple(names[i] for i in order)
            labels = np.argsort(order)[labels]
        note = f"Grades from the lowest to the highest: {' < '.join(names)}."
        return dataclasses.replace(
            examples,
            labels=labels,
            class_names=names,
            problem=self.name,
            notes=(*examples.notes, note),
        )

    def check(self, examples: Examples, ref: DatasetRef) -> None:
        """Raises `DataError` for labels that nothing can be learned from."""
        super().check(examples, ref)
        if len(examples.class_names) < _FEWEST_GRADES:
            raise DataError(
                f"{ref} has two grades, and an order among two says nothing. Use"
                " config.problem='single_label'."
            )


def _value(name: str) -> float | None:
    """The number that a grade begins with."""
    number = _NUMBER.match(name)
    return float(number.group()) if number else None


def _refuse_gaps(numbers: list[float], names: tuple[str, ...], ref: DatasetRef) -> None:
    """Raises `DataError` if a grade is missing between others, or comes twice."""
    ordered = sorted(numbers)
    steps = np.diff(ordered)
    if len(steps) and steps.min() == 0:
        twice = ordered[int(steps.argmin())]
        named = [name for name, number in zip(names, numbers) if number == twice]
        raise DataError(
            f"{ref} has the grades {listing(map(repr, named), shown=5)} with the same"
            " number. Give each grade a number of its own."
        )
    for low, step in zip(ordered, steps):
        if not math.isclose(step, steps.min(), rel_tol=1e-6):
            raise DataError(
                f"{ref} has no example of a grade between {low:g} and {low + step:g},"
                f" and other grades are {steps.min():g} apart. Add examples of the"
                " missing grade, or number the grades without a gap if it cannot occur."
            )
