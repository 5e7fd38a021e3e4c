"""Exactly one label for each example: int64 `[n]`, indices of names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.data.grouping import count_groups, deal
from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.display.text import PLURALS
from pipelines.errors import DataError


class SingleLabel:
    """One class for each example."""

    name = "single_label"
    noun = "class"

    def from_classes(self, examples: Examples, ref: DatasetRef) -> Examples:
        """Examples whose labels were read as class names, with labels of this kind."""
        return examples

    def check(self, examples: Examples, ref: DatasetRef) -> None:
        """Raises `DataError` for labels that nothing can be learned from."""
        names, plural = examples.class_names, PLURALS[examples.inputs.modality]
        if len(names) < 2:
            raise DataError(
                f"{ref} has {len(names)} class ({listing(names, shown=1)}); a"
                f" classifier of {plural} needs at least two. Add a folder or label for"
                " another class."
            )
        counts = np.bincount(examples.labels, minlength=len(names))
        empty = [repr(name) for name, count in zip(names, counts) if count == 0]
        if empty:
            raise DataError(
                f"Class {listing(empty, shown=10)} has no {examples.inputs.modality}."
                f" Add {plural}, or take the name out of class_names."
            )

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, int64 `[n]`: examples are drawn evenly by code."""
        return labels

    def count_independent(
        self, labels: np.ndarray, groups: np.ndarray, names: Sequence[str]
    ) -> Sequence[tuple[str, int]]:
        """The number of groups of each name that every split needs."""
        have = count_groups(labels, groups, len(names))
        return [(name, int(n)) for name, n in zip(names, have)]

    def deal(
        self,
        labels: np.ndarray,
        groups: np.ndarray,
        *,
        held_out: Sequence[float],
        seed: int,
    ) -> np.ndarray:
        """The split of every example, `[n]`: 0 is train, then one a fraction."""
        return deal(labels, groups, held_out=held_out, seed=seed)

    def absent(self, labels: np.ndarray, names: Sequence[str]) -> Sequence[str]:
        """The names that a split with these labels lacks and has to have."""
        missing = np.setdiff1d(np.arange(len(names)), labels)
        return [names[i] for i in missing]

    def counts(self, labels: np.ndarray, names: Sequence[str]) -> dict[str, int]:
        """The number of examples of each name."""
        counts = np.bincount(labels, minlength=len(names))
        return {name: int(n) for name, n in zip(names, counts)}

    def in_words(
        self, labels: np.ndarray, names: Sequence[str]
    ) -> tuple[np.ndarray, Sequence[str]]:
        """A code for each example, in the order of words, `[n]`; and the words."""
        rank = np.argsort(sorted(range(len(names)), key=names.__getitem__))
        return rank[labels], [names[label] for label in labels]
