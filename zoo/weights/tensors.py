"""Named tensors of a weight file, each taken only if it fits the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from zoo.errors import CorruptWeightsError

_NOTHING_USED = "It holds weights of another network; nothing of it was used."


@dataclasses.dataclass(frozen=True)
class TensorFile:
    """The tensors of the weight file at `path`, by their names in the file."""

    path: Path
    tensors: Mapping[str, np.ndarray]

    def take(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """The tensor of a name, of a shape if one is named.

        Raises:
            CorruptWeightsError: if the file does not have it.
        """
        if name not in self.tensors:
            raise CorruptWeightsError(
                f"{self.path} has no tensor '{name}'. {_NOTHING_USED}"
            )
        tensor = self.tensors[name]
        if shape is not None and tensor.shape != shape:
            raise CorruptWeightsError(
                f"{self.path} has shape {list(tensor.shape)} for '{name}', expected"
                f" {list(shape)}. {_NOTHING_USED}"
            )
        return tensor

    def refuse_unused(self, used: Iterable[str]) -> None:
        """Raises `CorruptWeightsError` if the file has tensors besides those used."""
        unused = sorted(set(self.tensors).difference(used))
        if unused:
            raise CorruptWeightsError(
                f"{self.path} has {len(unused)} tensors that this network does not"
                f" have, the first is '{unused[0]}'. {_NOTHING_USED}"
            )
