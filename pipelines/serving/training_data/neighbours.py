"""The nearest training examples of an answer, from an index inside of the artifact.

Plain numpy: a product of matrices answers thousands of questions a second on as many
examples as the index holds.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.errors import ArtifactError, ConfigError

FILE = "assets.extra/neighbours.npz"
# 64 MiB in float16, whatever the width.
_MOST_NUMBERS = 2**25
_SMALLEST_LENGTH = 1e-6
# Distances in memory at once: 32 MiB.
_AT_ONCE = 2**22


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A training example near to another one.

    `name` is its file or row, `label` its class, and `distance` the length between the
    features of both, scaled to length 1: 0 for the same, 2 for opposite ones.
    """

    name: str
    label: str
    distance: float


@dataclasses.dataclass(frozen=True, eq=False)
class NeighbourIndex:
    """Training examples with their features of length 1, float16 `[n, width]`.

    `names` and `labels` are strings `[n]`.
    """

    features: np.ndarray
    names: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(
        cls, features: np.ndarray, names: Sequence[str], labels: Sequence[str]
    ) -> NeighbourIndex:
        """An index of features `[n, width]`; ones without a length are left out."""
        rows = np.flatnonzero(np.linalg.norm(features, axis=1) > _SMALLEST_LENGTH)
        return cls(
            _unit(features[rows]).astype(np.float16),
            np.array(names, str)[rows],
            np.array(labels, str)[rows],
        )

    def nearest(self, features: np.ndarray, k: int) -> list[list[Neighbour]]:
        """The `k` nearest examples of each row of `[n, width]`, nearest first.

        A row without a length, as of an example that is not valid, has none.

        Raises:
            ConfigError: if `k` is below 1.
        """
        if k < 1:
            raise ConfigError(f"k is {k}; ask for 1 neighbour or more.")
        step = max(1, _AT_ONCE // max(len(self.names), 1))
        known = self.features.astype(np.float32)
        answers = []
        for start in range(0, len(features), step):
            some = features[start : start + step]
            has_length = np.linalg.norm(some, axis=1) > _SMALLEST_LENGTH
            alike = _unit(some) @ known.T
            for row, is_valid in zip(alike, has_length):
                answers.append(self._nearest(row, k) if is_valid else [])
        return answers

    def _nearest(self, alike: np.ndarray, k: int) -> list[Neighbour]:
        order = np.argsort(-alike, kind="stable")[:k]
        away = np.sqrt(np.maximum(2 - 2 * alike[order], 0))
        return [
            Neighbour(str(self.names[i]), str(self.labels[i]), float(distance))
            for i, distance in zip(order.tolist(), away.tolist())
        ]

    def save(self, folder: Path) -> None:
        """Writes the index into the folder of an artifact; the same gives the same.

        Raises:
            OSError: if the disk does not take it.
        """
        path = folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            np.savez(
                stream, features=self.features, names=self.names, labels=self.labels
            )


def most_rows(width: int) -> int:
    """The number of examples that an index of features of this width holds."""
    return max(1, _MOST_NUMBERS // width)


def load(folder: Path) -> NeighbourIndex:
    """The index of an artifact.

    Raises:
        ArtifactError: if it has none, or one that cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise ArtifactError(
            f"{folder} holds no index of its training examples. Train with"
            " config.export.neighbours=True."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            index = NeighbourIndex(file["features"], file["names"], file["labels"])
        if not len(index.features) == len(index.names) == len(index.labels):
            raise ValueError("its arrays do not fit each other")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path} cannot be read: {error}. Export the run again."
        ) from error
    return index


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float32)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, _SMALLEST_LENGTH)
