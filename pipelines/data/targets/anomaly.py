"""Normal examples to train on, and anomalies to look at: int64 `[n]`, 0 and 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipelines.data.grouping import deal
from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.data.splits import Examples
from pipelines.errors import DataError

NAMES = ("normal", "anomaly")
# The class of normal examples, as data name it.
_NORMAL = ("normal", "good")
_SHOWN = 5


class Anomaly:
    """Normal or not. No anomaly is in train."""

    name = "anomaly"
    noun = "class"

    def from_classes(self, examples: Examples, ref: DatasetRef) -> Examples:
        """Examples whose labels were read as class names, with labels of this kind.

        A single class is normal, whatever its name. Of several the one called `normal`
        or `good` is, and all others are anomalies.
        """
        names = examples.class_names
        normal = [i for i, name in enumerate(names) if name.lower() in _NORMAL]
        note = ""
        if len(names) == 1 and not normal:
            normal = [0]
            note = f"All examples are normal: {names[0]!r} is the only class."
        if len(normal) != 1:
            listed = listing(map(repr, names), shown=_SHOWN)
            raise DataError(
                f"{ref} has the classes {listed}, and"
                f" {'several are' if normal else 'none is'} called"
                f" {' or '.join(map(repr, _NORMAL))}, so that it is not known which"
                " examples are normal. Rename the class of the normal ones to"
                f" {_NORMAL[0]!r}; all others are anomalies then."
            )
        notes = (*examples.notes, note) if note else examples.notes
        return dataclasses.replace(
            examples,
            labels=(examples.labels != normal[0]).astype(np.int64),
            class_names=NAMES,
            problem=self.name,
            notes=notes,
        )

    def check(self, examples: Examples, ref: DatasetRef) -> None:
        """Raises `DataError` for labels that nothing can be learned from."""
        if examples.weights is not None:
            raise DataError(
                f"{ref} has weights, and config.problem={self.name!r} does not have"
                " them yet: every normal example counts the same. Leave weight= out."
            )
        if not (examples.labels == 0).any():
            raise DataError(
                f"{ref} has no normal example, so that nothing can be called strange."
                f" Add examples of the class {_NORMAL[0]!r}."
            )
        splits = examples.split_codes()
        if splits is not None:
            self._check_splits(examples, splits, ref)

    def _check_splits(
        self, examples: Examples, splits: np.ndarray, ref: DatasetRef
    ) -> None:
        """Refuses given splits that train on anomalies or cannot set a threshold."""
        train, validation, test = (splits == i for i in range(len(SPLIT_NAMES)))
        strange = np.flatnonzero(train & (examples.labels == 1))
        if len(strange) and validation.any() and test.any():
            named = listing(
                (repr(examples.names[int(i)]) for i in strange), shown=_SHOWN
            )
            raise DataError(
                f"{len(strange)} anomalies are in train of {ref}: {named}. Training"
                " takes normal examples alone; move them to validation or test."
            )
        if validation.any() and not (examples.labels[validation] == 0).any():
            raise DataError(
                f"The validation split of {ref} has no normal example, and the"
                " threshold comes from those. Move some there, or leave that split out:"
                " then it is carved from train."
            )

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, int64 `[n]`: examples are drawn evenly by code."""
        return labels

    def count_independent(
        self, labels: np.ndarray, groups: np.ndarray, names: Sequence[str]
    ) -> Sequence[tuple[str, int]]:
        """The number of groups of normal examples, which every split needs."""
        strange = np.unique(groups[labels == 1])
        normal = np.setdiff1d(groups, strange)
        return [(names[0], len(normal))]

    def deal(
        self,
        labels: np.ndarray,
        groups: np.ndarray,
        *,
        held_out: Sequence[float],
        seed: int,
    ) -> np.ndarray:
        """The split of every example, `[n]`: 0 is train, then one a fraction.

        A group with an anomaly is held out as a whole.
        """
        split_of = np.zeros(len(labels), np.int64)
        if not held_out:
            return split_of
        is_strange = np.isin(groups, groups[labels == 1])
        split_of[~is_strange] = _dealt(groups[~is_strange], held_out, seed)
        shares = [fraction / sum(held_out) for fraction in held_out[1:]]
        split_of[is_strange] = 1 + _dealt(groups[is_strange], shares, seed)
        return split_of

    def absent(self, labels: np.ndarray, names: Sequence[str]) -> Sequence[str]:
        """The names that a split with these labels lacks and has to have."""
        return [] if (labels == 0).any() else [names[0]]

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


def _dealt(groups: np.ndarray, held_out: Sequence[float], seed: int) -> np.ndarray:
    """The split of examples of one kind; 0 for all without a fraction."""
    if not len(groups) or not held_out:
        return np.zeros(len(groups), np.int64)
    codes = np.unique(groups, return_inverse=True)[1]
    alike = np.zeros(len(groups), np.int64)
    return deal(alike, codes, held_out=held_out, seed=seed)
