"""Features of two domains, and the main directions of both."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from pipelines.methods.adaptation.head import Adapted, AdaptedHead
from pipelines.probing.probe import Probe, Standardization

MOST_DIRECTIONS = 256
# Relative to the largest: directions below it are rounding.
_SMALLEST_VARIANCE = 1e-6
# Variances of a feature that is nearly constant in a domain, beside the mean of all.
_LEAST_VARIANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the methods that train; fixed before, never chosen by a target."""

    units: int = 256
    weight: float = 1.0
    steps: int = 1000
    seed: int = 0
    discriminator_units: int = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Domains:
    """Raw features `[rows, width]` of a source with labels, and of a target.

    `probe` is the head of the source. `labels` are int64 `[rows]`, `0..classes-1`.
    Source rows with the same number in `groups` are views of one example, or share
    content. `validation` and its labels are source examples that trained nothing.
    `labelled` are raw features of labelled target examples, with `labelled_labels`;
    methods that train count them as half as much as the source.
    """

    probe: Probe
    source: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    validation: np.ndarray
    validation_labels: np.ndarray
    target: np.ndarray
    labelled: np.ndarray | None = None
    labelled_labels: np.ndarray | None = None

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.probe.bias)

    @functools.cached_property
    def standardized(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and target as the head of the source sees them."""
        standardize = self.probe.standardization
        return standardize([self.source]), standardize([self.target])

    @functools.cached_property
    def of_target(self) -> Standardization:
        """The standardization by which the target has the moments of the source."""
        source, target = self.standardized
        own, ratio = self.probe.standardization, _deviation(source) / _deviation(target)
        mean = target.mean(axis=0) - source.mean(axis=0) / ratio
        return Standardization(
            mean=(own.mean + own.scale * mean).astype(np.float32),
            scale=(own.scale / ratio).astype(np.float32),
        )

    @functools.cached_property
    def alike(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and target, each standardized as its own domain."""
        return self.standardized[0], self.of_target([self.target])

    @functools.cached_property
    def directions(self) -> Directions:
        """The main directions of both domains together, which count the same."""
        return main_directions(*self.alike)

    @functools.cached_property
    def reduced(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and target along the main directions, of mean square 1."""
        source, target = (self.directions(rows) for rows in self.alike)
        return source, target

    @functools.cached_property
    def reduced_labelled(self) -> np.ndarray | None:
        """The labelled target examples along the main directions."""
        if self.labelled is None:
            return None
        return self.directions(self.of_target([self.labelled]))

    def adapted(self, head: AdaptedHead) -> Adapted:
        """A head for features that are alike, for the raw features of both domains."""
        here = dataclasses.replace(head, standardization=self.of_target)
        return Adapted(here, head)


def _deviation(rows: np.ndarray) -> np.ndarray:
    variance = rows.var(axis=0)
    return np.sqrt(variance + _LEAST_VARIANCE * max(float(variance.mean()), 1e-12))


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """A map from standardized features to fewer numbers: `(z - centre) @ axes`."""

    centre: np.ndarray
    axes: np.ndarray

    def __call__(self, standardized: np.ndarray) -> np.ndarray:
        return (standardized - self.centre) @ self.axes

    def below(
        self,
        probe: Probe,
        hidden: tuple[np.ndarray, np.ndarray],
        logits: tuple[np.ndarray, np.ndarray],
    ) -> AdaptedHead:
        """The head for raw features, of layers that read the reduced ones."""
        kernel = self.axes @ hidden[0]
        bias = hidden[1] - self.centre @ kernel
        return AdaptedHead(probe.standardization, *logits, hidden=(kernel, bias))

    def linear(self, probe: Probe, kernel: np.ndarray, bias: np.ndarray) -> AdaptedHead:
        """The linear head for raw features, of one for the reduced ones."""
        whole = self.axes @ kernel
        return AdaptedHead(
            probe.standardization,
            whole.astype(np.float32),
            (bias - self.centre @ whole).astype(np.float32),
        )


def main_directions(*domains: np.ndarray) -> Directions:
    """The main directions of several domains `[rows, width]`, at most 256 of them.

    Every domain counts the same, whatever its size, and the average square of a
    reduced number is 1.
    """
    centre = np.mean([rows.mean(axis=0) for rows in domains], axis=0)
    weighted = np.concatenate(
        [(rows - centre) / np.sqrt(len(rows) * len(domains)) for rows in domains]
    )
    _, sizes, axes = np.linalg.svd(weighted, full_matrices=False)
    kept = sizes[:MOST_DIRECTIONS] ** 2 > _SMALLEST_VARIANCE * sizes[0] ** 2
    count = max(1, int(kept.sum()))
    scale = np.sqrt(np.square(sizes[:count]).mean())
    return Directions(
        centre.astype(np.float32),
        (axes[:count].T / max(float(scale), 1e-9)).astype(np.float32),
    )
