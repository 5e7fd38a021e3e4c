"""The head that a method of adaptation gives, as plain arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipelines.probing.probe import Probe


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptedHead(Probe):
    """A classifier for raw features: linear, or with a hidden layer of ReLU units.

    `hidden` is the kernel `[width, units]` and the bias of that layer, and `kernel`
    `[units, classes]` reads it then. Classifiers of domains stay
    out of it.
    """

    hidden: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def hidden_units(self) -> tuple[int, ...]:
        """The widths of hidden layers, as a plan of a head has them."""
        return () if self.hidden is None else (len(self.hidden[1]),)

    def below_logits(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """The values that the logits are computed from, `[rows, units]`."""
        standardized = self.standardization(parts)
        if self.hidden is None:
            return standardized
        kernel, bias = self.hidden
        return np.maximum(standardized @ kernel + bias, 0.0)

    def logits(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, classes]` for features, an array for every block."""
        return self.below_logits(parts) @ self.kernel + self.bias


@dataclasses.dataclass(frozen=True, eq=False)
class Adapted:
    """A head for the target domain, and the one that answers source examples alike.

    Both are the same where a method does not move the source: `for_source` has the
    standardization, or the shares of classes, of that domain. It calibrates.
    """

    head: AdaptedHead
    for_source: AdaptedHead

    def moved(self, features: np.ndarray) -> np.ndarray:
        """Raw source features `[rows, width]` where those of the target lie."""
        here = self.head.standardization
        standardized = self.for_source.standardization([features.astype(np.float32)])
        return standardized * here.scale + here.mean


def unchanged(probe: Probe) -> Adapted:
    """The head of the source, for both domains."""
    head = AdaptedHead(probe.standardization, probe.kernel, probe.bias)
    return Adapted(head, head)
