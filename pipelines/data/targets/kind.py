"""The questions that reading and splitting ask about a kind of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples


class TargetKind(Protocol):
    """One kind of labels. `labels` has a row for each example.

    `name` is the kind's in the config; `noun` is the word for what the names name.
    """

    name: str
    noun: str

    def from_classes(self, examples: Examples, ref: DatasetRef) -> Examples:
        """Examples whose labels were read as class names, with labels of this kind.

        Raises:
            DataError: if the names do not fit; it says which kind does.
        """

    def check(self, examples: Examples, ref: DatasetRef) -> None:
        """Raises `DataError` for labels that nothing can be learned from."""

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, int64 `[n]`: examples are drawn evenly by code."""

    def count_independent(
        self, labels: np.ndarray, groups: np.ndarray, names: Sequence[str]
    ) -> Sequence[tuple[str, int]]:
        """The number of groups of each name that every split has to have."""

    def deal(
        self,
        labels: np.ndarray,
        groups: np.ndarray,
        *,
        held_out: Sequence[float],
        seed: int,
    ) -> np.ndarray:
        """The split of every example, `[n]`: 0 is train, then one for each fraction."""

    def absent(self, labels: np.ndarray, names: Sequence[str]) -> Sequence[str]:
        """The names that a split with these labels lacks and has to have."""

    def counts(self, labels: np.ndarray, names: Sequence[str]) -> dict[str, int]:
        """The number of examples of each name."""

    def in_words(
        self, labels: np.ndarray, names: Sequence[str]
    ) -> tuple[np.ndarray, Sequence[str]]:
        """A code for each example, int64 `[n]`, in the order of words; and the words.

        For fingerprints, which must not depend on the order of the names.
        """
